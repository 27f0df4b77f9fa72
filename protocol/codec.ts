import { Packr, Unpackr } from 'msgpackr'
import { HubError } from './errors.ts'
import { FRAMES, type ClientFrame, type Frame, type FrameFields, type FrameKind, type HubFrame } from './frames.ts'
import { LIMITS } from './limits.ts'
import { scan } from './scan.ts'
import { checked, type Plain, type Shape } from './shapes.ts'
import { maxValuesIn } from './values.ts'

// Records and extensions are msgpackr's own: other languages do not know them, and hostile bytes could build them.
const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, moreTypes: false })
const BUILD = { useRecords: false, mapsAsObjects: true, int64AsType: 'number', moreTypes: false } as const
const unpackr = new Unpackr(BUILD)
// A carrier's message can be a small part of a large block, which a view into it would keep from being freed.
const frameUnpackr = new Unpackr({ ...BUILD, copyBuffers: true })

/** One value as msgpack. */
export const encodeValue = (value: Plain | readonly unknown[]): Uint8Array => packr.pack(value)

/**
 * Builds a value from trusted bytes, such as a stored record.
 * Bytes from outside go through `decodeFrame`, which scans them first.
 */
export const decodeValue = (bytes: Uint8Array): Plain => unpackr.unpack(bytes) as Plain

/** What `decodeFrame` needs to know of one kind of frame, found once. */
interface Layout {
  readonly kind: FrameKind
  readonly from: 'client' | 'hub'
  readonly fields: readonly { readonly name: string; readonly path: string; readonly form: Shape<unknown> }[]
}

const LAYOUTS = new Map<unknown, Layout>(
  (Object.keys(FRAMES) as FrameKind[]).map(kind => {
    const { type, from, fields } = FRAMES[kind]
    const rows = Object.entries<Shape<unknown>>(fields).map(([name, form]) => ({ name, path: `${kind}.${name}`, form }))
    return [type, { kind, from, fields: rows }]
  })
)

/** A frame's bytes. `fields` are trusted to fit the table. */
export function encodeFrame<K extends FrameKind>(kind: K, fields: FrameFields<K>): Uint8Array {
  const { type } = FRAMES[kind]
  const values: unknown[] = [type]
  for (const { name } of LAYOUTS.get(type)!.fields) values.push((fields as Record<string, unknown>)[name] ?? null)
  return packr.pack(values)
}

/**
 * Scans, builds and checks one frame from the other end. What it returns shares no memory with `bytes`.
 *
 * A client counts no values in what its hub sends: that is bounded by the frame's length.
 *
 * @param from which end sent it: a frame of the other direction is refused
 * @throws HubError `frame-too-large`, `bad-frame` (with the field), `out-of-place`
 */
export function decodeFrame(bytes: Uint8Array, from: 'client'): ClientFrame
export function decodeFrame(bytes: Uint8Array, from: 'hub'): HubFrame
export function decodeFrame(bytes: Uint8Array, from: 'client' | 'hub'): Frame {
  if (bytes.length > LIMITS.maxFrameBytes) throw new HubError('frame-too-large')
  scan(bytes, from === 'client' ? maxValuesIn(bytes.length) : Infinity)
  const values: unknown = frameUnpackr.unpack(bytes)
  const layout = Array.isArray(values) ? LAYOUTS.get(values[0]) : undefined
  if (layout === undefined) throw new HubError('bad-frame', 'no frame has this type')
  if (layout.from !== from) throw new HubError('out-of-place', `${layout.kind} is not sent by the ${from}`)
  const places = values as unknown[]
  const frame: Record<string, unknown> = { kind: layout.kind }
  for (let index = 0; index < layout.fields.length; index++) {
    const { name, path, form } = layout.fields[index]!
    const value = places[index + 1]
    if (form.optional === true && (value === undefined || value === null)) continue
    if (value === undefined) throw new HubError('bad-frame', `${path}: missing`, { field: path })
    frame[name] = checked('bad-frame', form, value, path)
  }
  return frame as unknown as Frame
}

/** Builds the values that stand one behind the other in trusted bytes, such as the changes of a stored run. */
export const decodeValues = (bytes: Uint8Array): Plain[] => (bytes.length === 0 ? [] : (unpackr.unpackMultiple(bytes) as Plain[]))
