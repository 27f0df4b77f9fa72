import { encodeFrame, type ActionBody, type Plain } from '../../protocol/index.ts'
import type { Messages } from './device.ts'
import { headerBytes, maskedMessage, patchUint32 } from './wire-socket.ts'

/** Unlikely values, found again in the encoded frame, where each message gets its own. */
const NUMBER_MARK = 0xf1e2d3c4
const CONFIRMED_MARK = 0xe5f6a7b8
const PROGRESSION_MARK = 0.123456789012345

/** A page turn: the body that every workload without Yjs pushes. 76 bytes; the last one is the sender's place among its devices. */
const body = (device: number) => ({
  progression: PROGRESSION_MARK,
  locators: { cfi: 'epubcfi(/6/14!/4/16/1:0)' },
  extra: { device }
})

/** A page turn of an app that knows no more than how far the reader is. */
const progress = { progression: PROGRESSION_MARK }

/**
 * Pushes of one action each, made by copying one frame and changing its numbers.
 *
 * @param device the sender's place among the devices of its account, which relays need to tell whose push came; 127 at most
 * @param window how many pushes may be in flight: older ones are confirmed, as a client that keeps its answers would
 */
export const positionPushes = (device: number, window: number): Messages => pushesOf(push(body(device)), window)

/** Pushes whose changes take about 100 bytes of the log. */
export const progressPushes = (window: number): Messages => pushesOf(push(progress), window)

const push = (position: ActionBody<'position.set'>): Uint8Array =>
  encodeFrame('push', {
    confirmed: CONFIRMED_MARK,
    actions: [[NUMBER_MARK, Date.now(), 'position.set', 'moby-dick', position as Plain]]
  })

/** One push of a page turn, encoded anew, for a client package that has an envelope of its own. */
export const positionPush = (number: number, window: number): Uint8Array =>
  encodeFrame('push', {
    confirmed: Math.max(0, number - window),
    actions: [[number, Date.now(), 'position.set', 'moby-dick', { ...body(0), progression: (number % 1_000) / 1_000 }]]
  })

/** The frame that carries one page turn. */
export const POSITION_PUSH_BYTES = push(body(0)).length

function pushesOf(payload: Uint8Array, window: number): Messages {
  const message = maskedMessage(payload)
  const header = headerBytes(payload.length)
  const bytes = Buffer.from(payload)
  const numberAt = find(bytes, uint32(NUMBER_MARK))
  const confirmedAt = find(bytes, uint32(CONFIRMED_MARK))
  // The lower half of the double: the place in the book differs each time and stays near the mark.
  const progressionAt = find(bytes, float64(PROGRESSION_MARK)) + 4
  return (first, count) => {
    const messages = Buffer.allocUnsafe(message.length * count)
    for (let index = 0; index < count; index++) {
      const number = first + index
      const start = index * message.length
      message.copy(messages, start)
      patchUint32(messages, start + header, numberAt, number)
      patchUint32(messages, start + header, confirmedAt, Math.max(0, number - window))
      patchUint32(messages, start + header, progressionAt, number)
    }
    return messages
  }
}

function find(bytes: Buffer, part: Buffer): number {
  const at = bytes.indexOf(part)
  if (at < 0) throw new Error('the codec wrote a number in another way than expected')
  return at
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}
