import * as assert from 'uvu/assert'
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../../server/core/ports.ts'
import { createPairing } from '../../../server/auth/pairing.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/pairing')

/** A clock that stands still until it is moved. `setMs` moves the time alone, as an administrator does; timers do not notice. */
function createClock() {
  const timers = new Set<{ dueMs: number; task: () => void }>()
  let timeMs = 1_000_000
  let elapsedMs = 0
  const clock: Clock = {
    nowMs: () => timeMs,
    nextTurn: task => task(),
    setTimer(delayMs, task) {
      const timer = { dueMs: elapsedMs + delayMs, task }
      timers.add(timer)
      return () => void timers.delete(timer)
    }
  }
  return {
    clock,
    timers,
    setMs: (ms: number) => (timeMs = ms),
    advance: (ms: number): void => {
      timeMs += ms
      elapsedMs += ms
      for (const timer of timers) {
        if (timer.dueMs > elapsedMs) continue
        timers.delete(timer)
        timer.task()
      }
    }
  }
}

test('a code is eight unambiguous characters in two groups', () => {
  const pairing = createPairing({ clock: createClock().clock, randomBytes, maxOpenPerAccount: 1_000 })
  for (let round = 0; round < 200; round++)
    assert.match(pairing.open('ann').code, /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
})

test('a code leads to its account, once', () => {
  const pairing = createPairing({ clock: createClock().clock, randomBytes })
  const ann = pairing.open('ann').code
  const ben = pairing.open('ben').code
  assert.is(pairing.redeem(ben)?.account, 'ben')
  assert.is(pairing.redeem(ann)?.account, 'ann')
  assert.is(pairing.redeem(ann), undefined)
})

test('a code says whether the device that joins by it may only read', () => {
  const pairing = createPairing({ clock: createClock().clock, randomBytes })
  assert.equal(pairing.redeem(pairing.open('ann', true).code), { account: 'ann', readOnly: true })
  assert.equal(pairing.redeem(pairing.open('ann').code), { account: 'ann', readOnly: false })
})

test('case, spaces, hyphens and letters that look like digits do not matter', () => {
  const pairing = createPairing({ clock: createClock().clock, randomBytes: () => Uint8Array.of(0, 1, 10, 11, 12, 13, 14, 15) })
  for (const typed of ['01AB-CDEF', '01abcdef', ' 0 1 a b - c d e f ', 'OIab–cdef', 'olABCDEF']) {
    assert.is(pairing.open('ann').code, '01AB-CDEF')
    assert.is(pairing.redeem(typed)?.account, 'ann', typed)
  }
})

test('what is no code at all is refused', () => {
  const pairing = createPairing({ clock: createClock().clock, randomBytes })
  const { code } = pairing.open('ann')
  for (const typed of [
    '',
    '-',
    code.slice(1),
    `${code}0`,
    code.replace('-', '_'),
    'UUUU-UUUU',
    ' '.repeat(10_000_000),
    '\u0130'.repeat(8)
  ])
    assert.is(pairing.redeem(typed), undefined)
  assert.is(pairing.redeem(code)?.account, 'ann')
})

test('a code lasts five minutes and says until when', () => {
  const { clock, advance } = createClock()
  const pairing = createPairing({ clock, randomBytes })
  const early = pairing.open('ann')
  assert.is(early.expiresAtMs, clock.nowMs() + 300_000)
  advance(1)
  const late = pairing.open('ann')
  advance(299_999)
  assert.is(pairing.redeem(early.code), undefined)
  assert.is(pairing.redeem(late.code)?.account, 'ann')
})

test('setting the clock back does not lengthen the life of a code', () => {
  const { clock, advance, setMs } = createClock()
  const pairing = createPairing({ clock, randomBytes })
  const { code } = pairing.open('ann')
  setMs(0)
  advance(300_000)
  assert.is(pairing.redeem(code), undefined)
})

test('a code whose time passed while the machine slept is refused', () => {
  const { clock, setMs } = createClock()
  const pairing = createPairing({ clock, randomBytes })
  const { code, expiresAtMs } = pairing.open('ann')
  setMs(expiresAtMs)
  assert.is(pairing.redeem(code), undefined)
})

test("a sixth code of an account closes its oldest, and no other account's", () => {
  const pairing = createPairing({ clock: createClock().clock, randomBytes })
  const ben = pairing.open('ben').code
  const codes = Array.from({ length: 6 }, () => pairing.open('ann').code)
  assert.equal(
    codes.map(code => pairing.redeem(code)?.account),
    [undefined, 'ann', 'ann', 'ann', 'ann', 'ann']
  )
  assert.is(pairing.redeem(ben)?.account, 'ben')
})

test('nothing stays behind of codes that are used, dropped or expired', () => {
  const { clock, advance, timers } = createClock()
  const pairing = createPairing({ clock, randomBytes })
  for (let round = 0; round < 8; round++) pairing.open('ann')
  pairing.redeem(pairing.open('ben').code)
  assert.is(timers.size, 5)
  advance(300_000)
  assert.is(timers.size, 0)
})

test.run()
