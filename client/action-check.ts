import {
  ACTIONS,
  HubError,
  LIMITS,
  checked,
  countValues,
  encodeFrame,
  encodeValue,
  isActionKind,
  maxValuesIn,
  scan,
  type ActionKind,
  type Plain,
  type WireAction
} from '../protocol/index.ts'

/** What a checked action takes of a frame. */
export interface ActionSize {
  readonly bytes: number
  readonly values: number
}

/**
 * Proves that the hub can take an action. One that it cannot would not be refused alone: it would end the connection, again and again.
 *
 * @throws HubError `unknown-action`, `bad-action` (with the field), `too-large`
 */
export function checkAction(kind: ActionKind, key: string, body: Plain): void {
  if (!isActionKind(kind)) throw new HubError('unknown-action')
  checked('bad-action', ACTIONS[kind].key, key, 'key')
  checked('bad-action', ACTIONS[kind].body, body, 'body')
  if (kind !== 'annotation.update' && encodeValue(body).length > LIMITS.maxBodyBytes)
    throw new HubError('too-large', '', { field: 'body' })
  try {
    const frame = frameOf(kind, key, body)
    // Its numbers may turn out shorter, by less than half of the frame.
    scan(frame, maxValuesIn(frame.length / 2))
  } catch (error) {
    throw new HubError('bad-action', (error as HubError).message, { field: 'body' })
  }
}

/** What an action takes of a frame, its numbers at their longest. */
export const sizeOf = (kind: ActionKind, key: string, body: Plain): ActionSize => ({
  bytes: frameOf(kind, key, body).length,
  values: 5 + countValues(body)
})

function frameOf(kind: ActionKind, key: string, body: Plain): Uint8Array {
  const action: WireAction = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, kind, key, body]
  return encodeFrame('push', { confirmed: 0, actions: [action] })
}

/** A copy of the value that later changes do not reach: without undefined fields, and with text that is well-formed. */
export function copied(value: unknown): Plain {
  if (typeof value === 'string') return value.replaceAll(/\p{Surrogate}/gu, '\ufffd')
  if (value instanceof Uint8Array) return value.slice()
  if (Array.isArray(value)) return value.map(copied)
  if (typeof value !== 'object' || value === null) return value as Plain
  return Object.fromEntries(Object.entries(value).flatMap(([name, item]) => (item === undefined ? [] : [[name, copied(item)]])))
}
