import { encodeFrame } from '../../protocol/index.ts'
import type { DeviceUpdates } from './annotation-updates.ts'
import type { Messages } from './device.ts'
import { maskedMessage } from './wire-socket.ts'

/** The book that is edited, and the document of it. */
export const DOCUMENT = 'moby-dick'

/** Each update as the one action of a Lectern push. */
export const hubUpdatePushes = ({ updates }: DeviceUpdates, window: number): Messages =>
  prepared(
    updates.map((update, index) => {
      const number = index + 1
      const confirmed = Math.max(0, number - window)
      return encodeFrame('push', { confirmed, actions: [[number, Date.now(), 'annotation.update', DOCUMENT, update]] })
    })
  )

/** Each update as a Hocuspocus message: document, sync (0), update (2), the bytes. */
export const hocuspocusUpdates = ({ updates }: DeviceUpdates, document: string): Messages =>
  prepared(updates.map(update => Buffer.concat([varBytes(Buffer.from(document)), Buffer.of(0, 2), varBytes(update)])))

/** What opens a Hocuspocus document of which nothing is known: auth (2), token (0); then sync (0), step 1 (0) with an empty state vector. */
export function hocuspocusHello(document: string): Uint8Array {
  const name = varBytes(Buffer.from(document))
  const auth = Buffer.concat([name, Buffer.of(2, 0), varBytes(Buffer.from('token'))])
  return Buffer.concat([auth, Buffer.concat([name, Buffer.of(0, 0, 1, 0)])].map(maskedMessage))
}

/** Bytes behind their length as a variable-length integer, as lib0 writes them. */
export function varBytes(bytes: Uint8Array): Buffer {
  const length: number[] = []
  let rest = bytes.length
  for (; rest > 127; rest >>>= 7) length.push(0x80 | (rest & 127))
  return Buffer.concat([Buffer.of(...length, rest), bytes])
}

/** Messages that were all made before, each of which is sent once. */
function prepared(payloads: readonly Uint8Array[]): Messages {
  const messages = payloads.map(maskedMessage)
  return (first, count) => {
    if (first - 1 + count > messages.length) throw new Error(`the ${messages.length} prepared updates of a device are used up`)
    return count === 1 ? messages[first - 1]! : Buffer.concat(messages.slice(first - 1, first - 1 + count))
  }
}
