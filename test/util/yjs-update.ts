import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../../protocol/index.ts'

/** Where an edit of a Yjs client stands. */
export type Id = readonly [client: number, clock: number]

const encoder = new TextEncoder()

/** A whole number as Yjs writes it: seven bits a byte, the least first. */
export function varUint(value: number): number[] {
  const bytes: number[] = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return [...bytes, value]
}

const varString = (text: string): number[] => {
  const bytes = encoder.encode(text)
  return [...varUint(bytes.length), ...bytes]
}

const id = ([client, clock]: Id): number[] => [...varUint(client), ...varUint(clock)]

/** A struct that holds nothing but its place. */
export const gcStruct = (length: number): number[] => [0, ...varUint(length)]

/** A hole between structs. */
export const skipStruct = (length: number): number[] => [10, ...varUint(length)]

export interface ItemPlace {
  readonly origin?: Id
  readonly rightOrigin?: Id
  /** The name of a root type, or the edit that made the type; only written where there is no origin. */
  readonly parent?: string | Id
  readonly key?: string
}

function item(
  contentRef: number,
  content: number[],
  { origin, rightOrigin, parent = ANNOTATION_DOCUMENT.root, key }: ItemPlace
): number[] {
  const isPlaced = origin !== undefined || rightOrigin !== undefined
  const info =
    contentRef |
    (origin === undefined ? 0 : 128) |
    (rightOrigin === undefined ? 0 : 64) |
    (isPlaced || key === undefined ? 0 : 32)
  const place = isPlaced ? [] : typeof parent === 'string' ? [1, ...varString(parent)] : [0, ...id(parent)]
  return [
    info,
    ...(origin === undefined ? [] : id(origin)),
    ...(rightOrigin === undefined ? [] : id(rightOrigin)),
    ...place,
    ...(isPlaced || key === undefined ? [] : varString(key)),
    ...content
  ]
}

export const textStruct = (text: string, place: ItemPlace): number[] => item(4, varString(text), place)
export const mapStruct = (place: ItemPlace): number[] => item(7, varUint(1), place)
/** Plain values, whole numbers up to 63, that stand one behind the other. */
export const valuesStruct = (values: readonly number[], place: ItemPlace): number[] =>
  item(8, [...varUint(values.length), ...values.flatMap(value => [125, value])], place)
/** Lists in lists, so many, with a 1 in the innermost. */
export const nestedValueStruct = (depth: number, place: ItemPlace): number[] =>
  item(8, [1, ...Array.from({ length: depth }, () => [117, 1]).flat(), 125, 1], place)
/** One value, as Yjs once wrote them. */
export const jsonStruct = (json: string, place: ItemPlace): number[] => item(2, [1, ...varString(json)], place)
export const nestedJsonStruct = (depth: number, place: ItemPlace): number[] =>
  jsonStruct(`${'['.repeat(depth)}1${']'.repeat(depth)}`, place)
export const subdocumentStruct = (place: ItemPlace): number[] => item(9, [...varString('guid'), 118, 0], place)

interface UpdateParts {
  /** For each client: the clock of its first struct, and the structs. */
  readonly structs?: readonly (readonly [client: number, clock: number, structs: readonly number[][]])[]
  readonly deletes?: readonly (readonly [client: number, spans: readonly (readonly [clock: number, length: number])[]])[]
}

/** A Yjs v1 update, byte by byte: also one that Yjs itself would not write. */
export function rawUpdate({ structs = [], deletes = [] }: UpdateParts): Uint8Array {
  const bytes: number[] = varUint(structs.length)
  const add = (more: readonly number[]): void => {
    for (const byte of more) bytes.push(byte)
  }
  for (const [client, clock, list] of structs) {
    add(varUint(list.length))
    add(varUint(client))
    add(varUint(clock))
    for (const struct of list) add(struct)
  }
  add(varUint(deletes.length))
  for (const [client, spans] of deletes) {
    add(varUint(client))
    add(varUint(spans.length))
    for (const [clock, length] of spans) {
      add(varUint(clock))
      add(varUint(length))
    }
  }
  return Uint8Array.from(bytes)
}

/** Texts of one client from clock `start` on, each of which stands right before the one that it made last: no two become one item. */
export function prependedUpdate(client: number, start: number, count: number, first: ItemPlace, text = 'a'): Uint8Array {
  const structs = Array.from({ length: count }, (_, index) => {
    const clock = start + index * text.length
    return textStruct(text, clock === 0 ? first : { rightOrigin: [client, clock - text.length] })
  })
  return rawUpdate({ structs: [[client, start, structs]] })
}

/** Letters of one client in root text `t`, each of which claims to have no neighbours. */
export const unplacedUpdate = (client: number, count: number, start = 0): Uint8Array =>
  rawUpdate({ structs: [[client, start, Array.from({ length: count }, () => textStruct('a', { parent: 't' }))]] })

/** What a change of a document adds, as one update. */
export function updateOf(doc: Y.Doc, change: (annotations: Y.Map<unknown>) => void): Uint8Array {
  const before = Y.encodeStateVector(doc)
  let made: Uint8Array | undefined
  const note = (update: Uint8Array): void => void (made = update)
  doc.on('update', note)
  doc.transact(() => change(doc.getMap(ANNOTATION_DOCUMENT.root)))
  doc.off('update', note)
  return made ?? Y.encodeStateAsUpdate(doc, before)
}

/** A client's document, whose Yjs client id the test chooses. */
export function docOf(clientID: number, update?: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  if (update !== undefined) Y.applyUpdate(doc, update)
  doc.clientID = clientID
  return doc
}

/** An annotation with a note, as a Yjs client makes it. */
export function noteOf(text: string, fields: Record<string, unknown> = {}): Y.Map<unknown> {
  return new Y.Map<unknown>([...Object.entries(fields), [ANNOTATION_DOCUMENT.textField, new Y.Text(text)]])
}
