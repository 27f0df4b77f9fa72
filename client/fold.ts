import {
  mergeFields,
  positionReplaces,
  type ActionBody,
  type ChangeBody,
  type ChangeKind,
  type Plain
} from '../protocol/index.ts'

type Present<F> = { readonly [K in keyof F]: Exclude<F[K], null> }

/** A book, as its puts have left it. */
export type Book = Present<Omit<ActionBody<'book.put'>, 'identifiers'>> & {
  readonly id: string
  /** `type:value` → who says so. */
  readonly identifiers: Readonly<Record<string, string>>
  readonly removed: boolean
  readonly changedAtMs: number
}

/** One device's place in one book. */
export type Position = Present<ActionBody<'position.set'>> & {
  readonly device: string
  /** The outbox that set it. */
  readonly client: string
  /** The place in the log; Infinity while the hub has not answered. */
  readonly cursor: number
  /** The clock of the device that set it. */
  readonly atMs: number
}

/** A place that a device had in a book. */
export interface PositionVersion extends Omit<Position, 'client'> {
  /** The hub's clock when it took it. */
  readonly changedAtMs: number
}

/** The places of all devices in one book. */
export interface Positions {
  readonly byDevice: ReadonlyMap<string, Position>
  /** The last that was set. */
  readonly newest: Position | undefined
  /** The one with the greatest progression. */
  readonly furthest: Position | undefined
}

export interface Device {
  readonly id: string
  readonly name: string
  readonly app: string
  readonly readOnly: boolean
  /** It is not let in until another device enables it. */
  readonly disabled: boolean
  readonly revoked: boolean
}

/** A change of one kind; also an action that the hub has not answered, as the change that it should become. */
export interface Folded<K extends ChangeKind = ChangeKind> {
  readonly cursor: number
  /** The hub's clock; this one's while there is no answer. */
  readonly timeMs: number
  readonly device: string
  readonly client: string
  /** The clock of the client that asked. */
  readonly atMs: number
  readonly kind: K
  readonly key: string
  readonly body: ChangeBody<K>
}

/** Per field, in log order; identifiers per entry. */
export function foldBook(known: Book | undefined, change: Folded): Book {
  const base: Book = known ?? { id: change.key, identifiers: {}, removed: false, changedAtMs: 0 }
  if (change.kind !== 'book.put') return { ...base, removed: change.kind === 'book.remove', changedAtMs: change.timeMs }
  const { identifiers = {}, ...fields } = change.body as ChangeBody<'book.put'>
  const next = mergeFields(base, fields) as Book
  return {
    ...next,
    identifiers: mergeFields(base.identifiers, identifiers) as Record<string, string>,
    changedAtMs: change.timeMs
  }
}

/** One place for each device. What follows a snapshot may tell of changes that it holds: they do nothing again. @see positionReplaces */
export function foldPosition(known: ReadonlyMap<string, Position> | undefined, change: Folded): ReadonlyMap<string, Position> {
  const { device, client, cursor, atMs } = change
  const last = known?.get(device)
  const isToldAgain = last !== undefined && last.cursor !== Infinity && cursor <= last.cursor
  if (isToldAgain || !positionReplaces(change, last)) return known!
  const fields = mergeFields({}, change.body) as Present<ActionBody<'position.set'>>
  return new Map(known).set(device, { ...fields, device, client, cursor, atMs })
}

/** Nil clears a setting. */
export function foldSetting(_: Plain | undefined, change: Folded): Plain | undefined {
  return (change.body as ChangeBody<'setting.put'>).value ?? undefined
}

export function foldDevice(known: Device | undefined, change: Folded): Device | undefined {
  if (change.kind === 'device.revoke') return known && { ...known, revoked: true }
  return { id: change.key, revoked: known?.revoked ?? false, disabled: false, ...(change.body as ChangeBody<'device.put'>) }
}

/** Picks the newest and the furthest. */
export function summarise(byDevice: ReadonlyMap<string, Position> = new Map()): Positions {
  let newest: Position | undefined
  let furthest: Position | undefined
  for (const position of byDevice.values()) {
    if (newest === undefined || position.cursor >= newest.cursor) newest = position
    if (position.progression !== undefined && position.progression > (furthest?.progression ?? -1)) furthest = position
  }
  return { byDevice, newest, furthest }
}
