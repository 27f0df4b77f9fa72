import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { HubError } from '../../../protocol/index.ts'
import type { Presence } from '../presence.ts'

const MAX_ENTRIES = 256

/** One entry of an awareness update: what a provider says of a reader. */
export interface Said {
  readonly id: number
  readonly clock: number
  /** As JSON; undefined when the reader left. */
  readonly state: string | undefined
}

/**
 * An awareness update: `count *(id clock json)`.
 * @throws HubError `bad-frame`
 * @see y-protocols, awareness.js
 */
export function decodeAwareness(bytes: Uint8Array): Said[] {
  try {
    const decoder = decoding.createDecoder(bytes)
    const count = decoding.readVarUint(decoder)
    if (count > MAX_ENTRIES) throw new Error('too many')
    return Array.from({ length: count }, () => {
      const id = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      const json = decoding.readVarString(decoder)
      // lib0 reads some bytes as NaN or infinity, and never ends writing those.
      if (!Number.isSafeInteger(id + clock)) throw new Error('no numbers')
      return { id, clock, state: json === 'null' ? undefined : json }
    })
  } catch {
    throw new HubError('bad-frame', `an awareness update names at most ${MAX_ENTRIES} readers, each with a clock and a state`)
  }
}

const encoded = new WeakMap<readonly Presence[], Uint8Array>()

/** Once for all who are told the same. */
export function encodeAwareness(news: readonly Presence[]): Uint8Array {
  let update = encoded.get(news)
  if (update === undefined) encoded.set(news, (update = encode(news)))
  return update
}

function encode(news: readonly Presence[]): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, news.length)
  for (const { id, clock, state } of news) {
    encoding.writeVarUint(encoder, id)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, state ?? 'null')
  }
  return encoding.toUint8Array(encoder)
}
