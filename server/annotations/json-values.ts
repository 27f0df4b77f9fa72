import { objectFrom, type Plain } from '../../protocol/index.ts'
import { MAX_JSON_DEPTH } from './limits.ts'

/** The one member of what stands for bytes. A map that looks like it gets one more sign in front. */
const BYTES = '@bytes'
const LIKE_BYTES = /^@+bytes$/

/** A value as JSON has it, so that `plainOf` gives it back: bytes become `{"@bytes": "<base64>"}`. */
export function jsonOf(value: Plain): unknown {
  if (value instanceof Uint8Array)
    return { [BYTES]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value !== 'object' || value === null) return value
  const only = onlyName(value)
  if (only !== undefined && LIKE_BYTES.test(only)) return { [`@${only}`]: jsonOf(value[only]!) }
  return objectFrom(Object.entries(value).map(([name, item]) => [name, jsonOf(item)]))
}

/** What `jsonOf` was given, of parsed JSON. */
export function plainOf(json: unknown): Plain {
  if (Array.isArray(json)) return json.map(plainOf)
  if (typeof json !== 'object' || json === null) return json as Plain
  const only = onlyName(json)
  if (only !== undefined && LIKE_BYTES.test(only)) {
    const held: unknown = (json as Record<string, unknown>)[only]
    if (only !== BYTES) return { [only.slice(1)]: plainOf(held) }
    if (typeof held === 'string') return new Uint8Array(Buffer.from(held, 'base64'))
  }
  return objectFrom(Object.entries(json).map(([name, item]) => [name, plainOf(item)]))
}

function onlyName(map: object): string | undefined {
  const names = Object.keys(map)
  return names.length === 1 ? names[0] : undefined
}

/** Whether parsed JSON is nested too deep. It is looked at level by level: what may be nested a million deep is no work for calls within calls. */
export function isDeep(json: unknown): boolean {
  let level = [json]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) return true
    level = level.filter(value => typeof value === 'object' && value !== null).flatMap(value => Object.values(value))
  }
  return false
}
