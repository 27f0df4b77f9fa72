import { suite } from '../../util/suite.ts'
import { drainLibraries } from './library-drains.ts'

const test = suite('dialects/feed/drain')

test('libraries are drained while other devices write, the clock steps back and the hub is started again: each mirror is the library', () =>
  drainLibraries(300))

test.run()
