import * as assert from 'uvu/assert'
import type { PartialBlob } from '../../../server/core/blobs.ts'
import { Arrival } from '../../../server/files/arrival.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/files/arrival')

/** More than is gathered. */
const MUCH = new Uint8Array(300_000)

/** A file whose writes end when the test says so. */
class HeldFile implements PartialBlob {
  readonly writes: { position: number; bytes: number }[] = []
  readonly ends: (() => void)[] = []
  readonly failures: ((error: Error) => void)[] = []

  write(parts: readonly Uint8Array[], position: number): Promise<void> {
    this.writes.push({ position, bytes: parts.reduce((sum, { length }) => sum + length, 0) })
    return new Promise((resolve, reject) => {
      this.ends.push(resolve)
      this.failures.push(reject)
    })
  }

  flush = async (): Promise<void> => undefined
  close = async (): Promise<void> => undefined

  read(): AsyncIterable<Uint8Array> {
    throw new Error('nobody reads')
  }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('bytes are gathered while those before them are written, and then the sender waits', async () => {
  const file = new HeldFile()
  const arrival = new Arrival(file, 100, undefined)
  await arrival.push(MUCH)
  await arrival.push(MUCH.subarray(0, 1_000))
  let isTaken = false
  const pushing = arrival.push(MUCH).then(() => (isTaken = true))
  await turn()
  assert.equal([file.writes, isTaken], [[{ position: 100, bytes: 300_000 }], false])
  file.ends[0]!()
  await pushing
  assert.equal(file.writes[1], { position: 300_100, bytes: 301_000 })
  const flushing = arrival.flush()
  file.ends[1]!()
  await flushing
  assert.is(file.writes.length, 2)
})

test('what is written is flushed while more arrives; when that fails the chunk does not count, whatever a later flush says', async () => {
  const file = new HeldFile()
  const flushes: ((error?: Error) => void)[] = []
  file.flush = () => new Promise((resolve, reject) => flushes.push(error => (error === undefined ? resolve() : reject(error))))
  const arrival = new Arrival(file, 0, undefined)
  await arrival.push(new Uint8Array(5_000_000))
  file.ends[0]!()
  await turn()
  assert.is(flushes.length, 1)
  await arrival.push(MUCH)
  file.ends[1]!()
  const flushing = arrival.flush()
  await turn()
  assert.is(flushes.length, 1, 'the last flush waits for the first')
  flushes[0]!(new Error('the disk is broken'))
  const failure = await flushing.catch((error: Error) => error.message)
  assert.equal([failure, flushes.length], ['the disk is broken', 1])
})

test('a sending that takes the place of another begins when the write of that one is over', async () => {
  const file = new HeldFile()
  const earlier = new Arrival(file, 0, undefined)
  await earlier.push(MUCH)
  const later = new Arrival(file, 0, earlier)
  const pushing = later.push(MUCH)
  const last = new Arrival(file, 0, later)
  const lastPushing = last.push(MUCH)
  await turn()
  assert.is(file.writes.length, 1)
  file.failures[0]!(new Error('the disk'))
  await Promise.all([pushing, lastPushing])
  assert.equal([file.writes.length, earlier.isReplaced, later.isReplaced, last.isReplaced], [2, true, true, false])
})

test('what was replaced while it waited writes no more', async () => {
  const file = new HeldFile()
  const earlier = new Arrival(file, 0, undefined)
  await earlier.push(MUCH)
  const waiting = earlier.push(MUCH)
  const gathered = new Arrival(file, 0, earlier)
  file.ends[0]!()
  await waiting
  await earlier.flush()
  await turn()
  assert.is(file.writes.length, 1)
  await gathered.push(MUCH)
  assert.is(file.writes.length, 2)
})

test('a write that fails is told to whoever waits for it next', async () => {
  const file = new HeldFile()
  const arrival = new Arrival(file, 0, undefined)
  await arrival.push(MUCH)
  file.failures[0]!(new Error('the disk'))
  await arrival.settled()
  assert.is(await arrival.push(MUCH).catch((error: Error) => error.message), 'the disk')
  assert.is(await arrival.flush().catch((error: Error) => error.message), 'the disk')
})

test.run()
