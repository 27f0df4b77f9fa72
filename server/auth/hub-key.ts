import { decodeValue, encodeValue } from '../../protocol/index.ts'
import type { RandomBytes } from '../core/ports.ts'
import type { Store } from '../core/store.ts'

const KEY_BYTES = 32
/** Records of no account stand under the empty name. */
const TABLE = ['', 'keys'] as const

/**
 * A random key of the hub itself, the same for as long as its store lives: made when it is first asked for, and durable before it is given.
 * Who reads the store can do whatever the key allows.
 * @param purpose which of them: what one key signs, no other accepts
 */
export async function hubKey(store: Store, purpose: string, randomBytes: RandomBytes): Promise<Uint8Array> {
  const known = store.get([...TABLE, purpose])
  if (known !== undefined) return decodeValue(known) as unknown as Uint8Array
  const key = randomBytes(KEY_BYTES)
  await store.commit({ appends: [], writes: [{ key: [...TABLE, purpose], value: encodeValue(key) }] })
  return key
}
