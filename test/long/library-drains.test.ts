import { drainLibraries } from '../dialects/feed/library-drains.ts'
import { suite } from '../util/suite.ts'

const test = suite('long/library-drains', { limitMs: 1_800_000 })

test('2,000 libraries are drained while other devices write, the clock steps back and the hub is started again: each mirror is the library', () =>
  drainLibraries(2_000))

test.run()
