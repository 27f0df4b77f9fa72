import * as assert from 'uvu/assert'
import { randomBytes } from 'node:crypto'
import { HubError } from '../../../protocol/errors.ts'
import { addressGroup, createSignInLimits, type SignInFrom, type SignInLimits } from '../../../server/auth/sign-in-limits.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('server/auth/sign-in-limits')

const create = () => createSignInLimits({ randomBytes, failuresPerAddress: 5, failuresPerAccount: 3, windowMs: 60_000 })

/** How a try ends: its result, or the code of its error. */
const outcome = async (limits: SignInLimits, from: SignInFrom, result: unknown = false): Promise<unknown> =>
  limits.attempt(from, () => result).catch((error: unknown) => (error instanceof HubError ? error.code : error))

/** Puts the system's time in the test's hands; the limiter reads no other clock. */
function holdTime(context: TestContext): (ms: number) => void {
  const realNow = Date.now
  let nowMs = realNow()
  Date.now = () => nowMs
  context.defer(() => (Date.now = realNow))
  return ms => (nowMs += ms)
}

test('an account that failed three times is held back, from every address and before the check', async () => {
  const limits = create()
  for (let round = 0; round < 3; round++) assert.is(await outcome(limits, { address: `10.0.0.${round}`, account: 'ann' }), false)
  let checked = false
  const attempt = limits.attempt({ address: '10.0.0.9', account: 'ann' }, () => (checked = true))
  const error = await attempt.then(
    () => undefined,
    (error: unknown) => error as HubError
  )
  assert.is(error?.code, 'rate-limited')
  assert.ok(error!.retryAfterMs! > 0 && error!.retryAfterMs! <= 60_000)
  assert.is(checked, false)
  assert.is(await outcome(limits, { address: '10.0.0.9', account: 'ben' }, true), true)
})

test('an address that failed five times is held back, whatever accounts it names', async () => {
  const limits = create()
  for (let round = 0; round < 5; round++)
    assert.is(await outcome(limits, { address: '10.0.0.1', account: `user${round}` }), false)
  assert.is(await outcome(limits, { address: '10.0.0.1', account: 'ann' }, true), 'rate-limited')
  assert.is(await outcome(limits, { address: '10.0.0.1' }, 'paired'), 'rate-limited')
  assert.is(await outcome(limits, { address: '10.0.0.2', account: 'ann' }, true), true)
})

test('an address that is held back does not use up the tries of an account', async () => {
  const limits = create()
  for (let round = 0; round < 5; round++) await outcome(limits, { address: '10.0.0.1' })
  for (let round = 0; round < 10; round++) await outcome(limits, { address: '10.0.0.1', account: 'ann' })
  assert.is(await outcome(limits, { address: '10.0.0.2', account: 'ann' }, true), true)
})

test('what is known to be right without a check is held back by its own address alone, and costs nothing', async () => {
  const limits = create()
  for (let round = 0; round < 4; round++) await outcome(limits, { address: `10.0.0.${round}`, account: 'ann' })
  const recalled = (address: string): Promise<unknown> =>
    limits.attempt(
      { address, account: 'ann' },
      () => false,
      () => true
    )
  for (let round = 0; round < 20; round++) assert.is(await recalled('10.0.0.9'), true)
  for (let round = 0; round < 5; round++) await outcome(limits, { address: '10.0.0.8', account: 'ann' })
  const code = await recalled('10.0.0.8').catch((error: unknown) => (error as HubError).code)
  assert.is(code, 'rate-limited')
})

test('success clears the account, and is not counted', async () => {
  const limits = create()
  const from = { address: '10.0.0.1', account: 'ann' }
  for (let round = 0; round < 20; round++) assert.is(await outcome(limits, from, 'signed in'), 'signed in')
  assert.is(await outcome(limits, from), false)
  assert.is(await outcome(limits, from), false)
  assert.is(await outcome(limits, from, true), true)
  assert.is(await outcome(limits, from), false)
  assert.is(await outcome(limits, from), false)
  assert.is(await outcome(limits, from), false, 'the fifth failure of the address')
  assert.is(await outcome(limits, from), 'rate-limited')
})

test('many tries at once get no further than one by one', async () => {
  const limits = create()
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, (_, index) => outcome(limits, { address: `10.0.0.${index}`, account: 'ann' }))
  )
  assert.is(outcomes.filter(result => result === false).length, 3)
})

test('a check that throws is passed on and counts as nothing', async () => {
  const limits = create()
  const from = { address: '10.0.0.1', account: 'ann' }
  const busy = new HubError('overloaded')
  for (let round = 0; round < 20; round++) {
    const error = await limits.attempt(from, () => Promise.reject(busy)).catch((error: unknown) => error)
    assert.is(error, busy)
  }
  assert.is(await outcome(limits, from, true), true)
})

test('failures are forgotten after the window', async context => {
  const advance = holdTime(context)
  const limits = create()
  const from = { address: '10.0.0.1', account: 'ann' }
  for (let round = 0; round < 3; round++) await outcome(limits, from)
  advance(59_999)
  assert.is(await outcome(limits, from, true), 'rate-limited')
  advance(1)
  assert.is(await outcome(limits, from, true), true)
})

test('an account name in other letters is the same account', async () => {
  const limits = create()
  for (const account of ['Ann', 'ANN', '\uff41nn']) await outcome(limits, { address: '10.0.0.1', account })
  assert.is(await outcome(limits, { address: '10.0.0.2', account: 'ann' }, true), 'rate-limited')
})

test('addresses of one IPv6 network count together', async () => {
  const limits = create()
  for (let round = 0; round < 5; round++) await outcome(limits, { address: `2001:db8:0:1::${round}` })
  assert.is(await outcome(limits, { address: '2001:db8:0:1:ffff::1' }, true), 'rate-limited')
  assert.is(await outcome(limits, { address: '2001:db8:0:2::1' }, true), true)
})

test('every spelling of an address is one group', () => {
  for (const [address, group] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:207', '192.0.2.7'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0000:0000:1:2:3:4', '2001:db8:0:0::/64'],
    ['2001:db8:a:b:1:2:3:4', '2001:db8:a:b::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['', ''],
    ['unix', 'unix']
  ] as const)
    assert.is(addressGroup(address), group, address)
})

test('a flood of names and addresses leaves the door open for others', async () => {
  const limits = createSignInLimits({ randomBytes })
  for (let round = 0; round < 20_000; round++)
    await outcome(limits, { address: `2001:db8:${round.toString(16)}::1`, account: `user${round}` })
  assert.is(await outcome(limits, { address: '192.0.2.7', account: 'ann' }, true), true)
})

test.run()
