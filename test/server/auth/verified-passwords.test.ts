import * as assert from 'uvu/assert'
import { randomBytes } from 'node:crypto'
import type { Passwords } from '../../../server/auth/passwords.ts'
import { rememberVerified } from '../../../server/auth/verified-passwords.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/verified-passwords')

/** Passwords whose hash is the text itself, and how often one was computed. */
function counted(): { passwords: Passwords; count: () => number } {
  let count = 0
  const passwords: Passwords = {
    hash: async password => `#${password}`,
    async verify(hash, password) {
      count += 1
      return hash === `#${password}`
    }
  }
  return { passwords, count: () => count }
}

test('what was right is computed once within ten minutes, and again after them', async () => {
  const [{ passwords, count }, clock] = [counted(), new ManualClock()]
  const verified = rememberVerified(passwords, { clock, randomBytes })
  for (let again = 0; again < 3; again++) assert.is(await verified.verify('#right', 'right'), true)
  assert.is(count(), 1)
  clock.advance(600_000)
  assert.is(await verified.verify('#right', 'right'), true)
  assert.is(count(), 2)
})

test('a wrong password, and one of nobody, are computed each time', async () => {
  const [{ passwords, count }, clock] = [counted(), new ManualClock()]
  const verified = rememberVerified(passwords, { clock, randomBytes })
  assert.is(await verified.verify('#right', 'right'), true)
  for (let again = 0; again < 2; again++) {
    assert.is(await verified.verify('#right', 'wrong'), false)
    assert.is(await verified.verify(undefined, 'right'), false)
  }
  assert.is(count(), 5)
})

test('what was remembered fits no other hash: another password was set', async () => {
  const [{ passwords }, clock] = [counted(), new ManualClock()]
  const verified = rememberVerified(passwords, { clock, randomBytes })
  assert.is(await verified.verify('#old', 'old'), true)
  assert.is(await verified.verify('#new', 'old'), false)
  assert.is(await verified.verify('#ol', 'dold'), false)
})

test('what is remembered is known without a hash, for as long as it is, and only under its own hash', async () => {
  const [{ passwords, count }, clock] = [counted(), new ManualClock()]
  const verified = rememberVerified(passwords, { clock, randomBytes })
  assert.is(verified.recalls('#right', 'right'), false)
  await verified.verify('#right', 'right')
  await verified.verify('#right', 'wrong')
  assert.equal([verified.recalls('#right', 'right'), verified.recalls('#right', 'wrong')], [true, false])
  assert.is(verified.recalls('#other', 'right'), false)
  clock.advance(600_000)
  assert.equal([verified.recalls('#right', 'right'), count()], [false, 2])
})

test('of more than it may hold, the one that was not used for longest goes', async () => {
  const [{ passwords, count }, clock] = [counted(), new ManualClock()]
  const verified = rememberVerified(passwords, { clock, randomBytes, maxEntries: 2 })
  for (const text of ['a', 'b', 'a', 'c', 'a']) await verified.verify(`#${text}`, text)
  assert.is(count(), 3)
  await verified.verify('#b', 'b')
  assert.is(count(), 4)
})

test.run()
