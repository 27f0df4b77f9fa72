import { Packr, Unpackr } from 'msgpackr'
import { HubError } from './errors.ts'
import { FRAMES, type ClientFrame, type Frame, type FrameFields, type FrameKind, type HubFrame } from './frames.ts'
import { LIMITS } from './limits.ts'
import { scan } from './scan.ts'
import { checked, type Plain } from './shapes.ts'

// Records and extensions are msgpackr's own: other languages do not know them, and hostile bytes could build them.
const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, moreTypes: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number', moreTypes: false })

/** One value as msgpack. */
export const encodeValue = (value: Plain | readonly unknown[]): Uint8Array => packr.pack(value)

/**
 * Builds a value from trusted bytes, such as a stored record.
 * Bytes from outside go through `decodeFrame`, which scans them first.
 */
export const decodeValue = (bytes: Uint8Array): Plain => unpackr.unpack(bytes) as Plain

interface Layout {
  readonly kind: FrameKind
  readonly names: readonly string[]
}

const LAYOUTS = new Map<number, Layout>(
  (Object.keys(FRAMES) as FrameKind[]).map(kind => [FRAMES[kind].type, { kind, names: Object.keys(FRAMES[kind].fields) }])
)

/** A frame's bytes. `fields` are trusted to fit the table. */
export function encodeFrame<K extends FrameKind>(kind: K, fields: FrameFields<K>): Uint8Array {
  const row = FRAMES[kind]
  const values: unknown[] = [row.type]
  for (const name of Object.keys(row.fields)) values.push((fields as Record<string, unknown>)[name] ?? null)
  return packr.pack(values)
}

/**
 * Scans, builds and checks one frame from the other end.
 *
 * @param from which end sent it: a frame of the other direction is refused
 * @throws HubError `frame-too-large`, `bad-frame` (with the field), `out-of-place`
 */
export function decodeFrame(bytes: Uint8Array, from: 'client'): ClientFrame
export function decodeFrame(bytes: Uint8Array, from: 'hub'): HubFrame
export function decodeFrame(bytes: Uint8Array, from: 'client' | 'hub'): Frame {
  if (bytes.length > LIMITS.maxFrameBytes) throw new HubError('frame-too-large')
  scan(bytes)
  const values: unknown = unpackr.unpack(bytes)
  const type: unknown = Array.isArray(values) ? values[0] : undefined
  const layout = typeof type === 'number' ? LAYOUTS.get(type) : undefined
  if (layout === undefined) throw new HubError('bad-frame', `no frame has the type ${String(type)}`)
  const row = FRAMES[layout.kind]
  if (row.from !== from) throw new HubError('out-of-place', `${layout.kind} is not sent by the ${from}`)
  const places = values as unknown[]
  const frame: Record<string, unknown> = { kind: layout.kind }
  for (let index = 0; index < layout.names.length; index++) {
    const name = layout.names[index]!
    const shape = row.fields[name as never] as (typeof FRAMES)['ping']['fields']['nonce'] & { optional?: true }
    const value = places[index + 1]
    if (value === undefined || (value === null && shape.optional === true)) {
      if (shape.optional === true) continue
      throw new HubError('bad-frame', `${layout.kind}.${name}: missing`, { field: `${layout.kind}.${name}` })
    }
    frame[name] = checked('bad-frame', shape, value, `${layout.kind}.${name}`)
  }
  return frame as unknown as Frame
}

/** Builds the values that stand one behind the other in trusted bytes, such as the changes of a stored run. */
export const decodeValues = (bytes: Uint8Array): Plain[] => (unpackr.unpackMultiple(bytes) ?? []) as Plain[]
