import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { AccountDirectory } from '../../../server/auth/accounts.ts'
import { createPasswords } from '../../../server/auth/passwords.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/accounts')

const directoryOn = (store = new MemoryStore()): AccountDirectory =>
  new AccountDirectory(store, createPasswords(), new ManualClock(), count => randomBytes(count))

const codeOf = (error: unknown): string => (error as { code: string }).code

test('an account is found by its name in whatever case, and after a restart', async () => {
  const store = new MemoryStore()
  const { id } = await directoryOn(store).add('Anna')
  assert.is(directoryOn(store).find(' ANNA ')?.id, id)
  assert.equal(
    directoryOn(store)
      .list()
      .map(({ name }) => name),
    ['anna']
  )
})

test('of two that take one name at the same time, one gets it', async () => {
  const directory = directoryOn()
  const tries = await Promise.allSettled([directory.add('anna', 'one'), directory.add('Anna', 'two'), directory.add('anna')])
  assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const tried of tries) if (tried.status === 'rejected') assert.is(codeOf(tried.reason), 'already-exists')
})

test('a password signs in, another does not, and an account without one lets none in', async () => {
  const directory = directoryOn()
  await directory.add('anna', 'right')
  await directory.add('ben')
  assert.is((await directory.signIn('Anna', 'right'))?.name, 'anna')
  assert.is(await directory.signIn('anna', 'wrong'), undefined)
  assert.is(await directory.signIn('ben', ''.padEnd(3)), undefined)
  assert.is(await directory.signIn('nobody', 'right'), undefined)
  await directory.setPassword('anna', 'newer')
  assert.is(await directory.signIn('anna', 'right'), undefined)
  assert.is((await directory.signIn('anna', 'newer'))?.name, 'anna')
})

test('a password that is replaced while it is checked lets nobody in', async () => {
  const passwords = createPasswords()
  let afterCheck = async (): Promise<void> => {}
  const directory: AccountDirectory = new AccountDirectory(
    new MemoryStore(),
    {
      hash: password => passwords.hash(password),
      async verify(hash, password) {
        const isRight = await passwords.verify(hash, password)
        await afterCheck()
        return isRight
      }
    },
    new ManualClock(),
    count => randomBytes(count)
  )
  await directory.add('anna', 'right')
  assert.is((await directory.signIn('anna', 'right'))?.name, 'anna')
  afterCheck = () => directory.setPassword('anna', 'newer')
  assert.is(await directory.signIn('anna', 'right'), undefined)
})

test.run()
