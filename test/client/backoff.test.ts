import * as assert from 'uvu/assert'
import { Backoff } from '../../client/backoff.ts'
import { suite } from '../util/suite.ts'
import { ManualClock } from '../util/manual-clock.ts'

const test = suite('client/backoff')

const delays = (chance: number, count: number, retryAfterMs?: number): number[] => {
  const clock = new ManualClock()
  clock.chance = chance
  const backoff = new Backoff(clock)
  return Array.from({ length: count }, () => backoff.nextDelayMs(retryAfterMs))
}

test('the ceiling of the wait doubles from half a second to half a minute', () => {
  assert.equal(delays(1, 9), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
})

test('the wait is anywhere below the ceiling', () => {
  assert.equal(delays(0, 3), [0, 0, 0])
  assert.equal(delays(0.25, 3), [125, 250, 500])
})

test('what the hub asks for is the least, and an absurd wish is bounded', () => {
  assert.equal(delays(0, 2, 7_000), [7_000, 7_000])
  assert.equal(delays(0.5, 2, 7_000), [7_250, 7_500])
  assert.equal(delays(0, 1, Number.MAX_SAFE_INTEGER), [3_600_000])
})

test('after a connection that held the wait is short again', () => {
  const clock = new ManualClock()
  clock.chance = 1
  const backoff = new Backoff(clock)
  backoff.nextDelayMs()
  backoff.nextDelayMs()
  backoff.reset()
  assert.is(backoff.nextDelayMs(), 500)
})

test.run()
