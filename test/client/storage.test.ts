import { MemoryStorage } from '../../client/storage.ts'
import { STORAGE_FACTS } from '../contract/client-storage.ts'
import { suite } from '../util/suite.ts'

const test = suite('client/storage')

for (const { fact, check } of STORAGE_FACTS)
  test(`memory: ${fact}`, () => check({ open: () => Promise.resolve(new MemoryStorage()), isLasting: false }))

test.run()
