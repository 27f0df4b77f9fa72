import * as assert from 'uvu/assert'
import { parseOptions } from '@node-rs/argon2'
import { HubError } from '../../../protocol/errors.ts'
import { createPasswords } from '../../../server/auth/passwords.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/passwords')

const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof HubError ? error.code : error)
  )

test('the right password is true, and a wrong one is false', async () => {
  const passwords = createPasswords()
  const hash = await passwords.hash('correct horse')
  assert.is(await passwords.verify(hash, 'correct horse'), true)
  assert.is(await passwords.verify(hash, 'correct horse '), false)
})

test('a hash is salted argon2id of 19 MiB and two passes', async () => {
  const passwords = createPasswords()
  const hash = await passwords.hash('secret')
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.ok(parseOptions(hash).saltLen >= 16)
  assert.is.not(hash, await passwords.hash('secret'))
})

test('an account that does not exist has no password, and takes its turn like a wrong one', async () => {
  const passwords = createPasswords({ concurrency: 1, maxQueued: 0 })
  const unknown = passwords.verify(undefined, 'wrong')
  const refused = await passwords.verify(undefined, 'wrong').then(
    () => undefined,
    (error: HubError) => error.code
  )
  assert.is(refused, 'overloaded', 'nothing was computed for the first')
  assert.is(await unknown, false)
})

test('an accent typed in one piece or in two is the same password', async () => {
  const passwords = createPasswords()
  assert.is(await passwords.verify(await passwords.hash('caf\u00e9'), 'cafe\u0301'), true)
})

test('a password of 256 bytes counts to its last one', async () => {
  const passwords = createPasswords()
  const longest = 'é'.repeat(128)
  const hash = await passwords.hash(longest)
  assert.is(await passwords.verify(hash, longest), true)
  assert.is(await passwords.verify(hash, `${'é'.repeat(127)}ab`), false)
})

test('an empty, a longer or a broken password is refused before anything is computed', async () => {
  const passwords = createPasswords({ concurrency: 0, maxQueued: 0 })
  for (const password of ['', 'a'.repeat(257), 'é'.repeat(129), 'a\u0301'.repeat(1_000_000), 'half a \ud83d pair']) {
    assert.is(await codeOf(passwords.hash(password)), 'bad-request')
    assert.is(await codeOf(passwords.verify(undefined, password)), 'bad-request')
  }
})

test('of forty sign-ins at once one runs, sixteen wait, and the others are told when to come back', async () => {
  const passwords = createPasswords()
  const results = await Promise.allSettled(Array.from({ length: 40 }, () => passwords.verify(undefined, 'guess')))
  assert.equal(
    results.map(result => result.status),
    Array.from({ length: 40 }, (_, index) => (index < 17 ? 'fulfilled' : 'rejected'))
  )
  for (const result of results.slice(17)) {
    const error = (result as PromiseRejectedResult).reason as HubError
    assert.is(error.code, 'overloaded')
    assert.ok(error.retryAfterMs! > 0)
  }
  assert.is(await passwords.verify(undefined, 'guess'), false)
})

test('those who wait are served in the order of their coming', async () => {
  const passwords = createPasswords()
  const order: number[] = []
  await Promise.all([0, 1, 2, 3].map(async index => passwords.verify(undefined, 'guess').then(() => order.push(index))))
  assert.equal(order, [0, 1, 2, 3])
})

test('a stored hash that is damaged is an error, and holds up nobody behind it', async () => {
  const passwords = createPasswords()
  const damaged = passwords.verify('not a hash', 'guess')
  const next = passwords.verify(undefined, 'guess')
  assert.ok((await codeOf(damaged)) instanceof Error)
  assert.is(await next, false)
})

test.run()
