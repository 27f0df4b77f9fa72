import { objectFrom, type Plain, type WireChange } from '../../protocol/index.ts'

/** A change as JSON, its fields by name. Bytes become `{"base64": "…"}`. */
export function changeJson([cursor, timeUs, device, client, number, atMs, kind, key, body]: WireChange): string {
  return JSON.stringify({ cursor, timeUs, device, client, number, atMs, kind, key, body: jsonOf(body) })
}

/** A value as JSON has it: bytes become `{"base64": "…"}`. */
export function jsonOf(value: Plain): unknown {
  if (value instanceof Uint8Array)
    return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value !== 'object' || value === null) return value
  return objectFrom(Object.entries(value).map(([name, item]) => [name, jsonOf(item)]))
}
