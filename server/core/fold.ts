import { mergeFields, positionReplaces, type ChangeBody, type ChangeKind } from '../../protocol/index.ts'
import { FILE_FOLDS } from './files/fold.ts'
import { NO_HOUSEHOLDS, type HouseholdRules } from './household.ts'
import { foldIdentifiers } from './identifiers.ts'
import { addPosition, newPositionHistory } from './position-history.ts'
import type { BookRecord, PositionRecord } from './records.ts'
import type { Views } from './views.ts'

/** One entry of the log, as a fold sees it. */
export interface Change<K extends ChangeKind = ChangeKind> {
  readonly cursor: number
  readonly timeUs: number
  readonly device: string
  readonly client: string
  readonly number: number
  readonly atMs: number
  readonly kind: K
  readonly key: string
  readonly body: ChangeBody<K>
  /** The body as msgpack, where it is at hand. */
  readonly encoded?: Uint8Array
}

/** What only the hub keeps about a change: the digest of the action that it came from, and rarely more. */
export type Note = number | RichNote

export interface RichNote {
  readonly digest: number
  /** Of a registered device's token. */
  readonly secretHash?: Uint8Array
  /** The epoch in which the hub itself made a Yjs update out of a plain action. */
  readonly madeIn?: string
  /** What of a household's action nobody but the hub may know, as msgpack. */
  readonly hidden?: Uint8Array
}

/** What a change takes beside its body. */
export const hiddenBytes = (note: Note): number => (typeof note === 'number' ? 0 : (note.hidden?.length ?? 0))

export type Fold<K extends ChangeKind> = (views: Views, change: Change<K>, note: Note, household: HouseholdRules) => void

/** The effect of each kind of change on the records. The same changes in the same order give the same records, on every hub. */
const FOLDS: { readonly [K in ChangeKind]: Fold<K> } = {
  'annotation.update': (views, { key, cursor, timeUs }) => {
    const record = views.edit('documents', [key], () => ({ tail: [], changedAtUs: timeUs }))
    record.tail.push(cursor)
    record.changedAtUs = timeUs
  },
  'position.set': (views, change) => {
    const record: PositionRecord = {
      fields: change.body,
      client: change.client,
      atMs: change.atMs,
      cursor: change.cursor,
      changedAtUs: change.timeUs
    }
    const place = [change.key, change.device]
    if (positionReplaces(record, views.get('positions', change.key, change.device))) views.put('positions', place, record)
    // One that another outbox outran can be restored all the same.
    const history = views.edit('positionHistories', place, newPositionHistory)
    addPosition(history, change.cursor, change.timeUs, change.atMs, change.body, change.encoded)
  },
  'book.put': (views, change) => {
    views.put('books', [change.key], mergeBook(views.get('books', change.key), change))
    foldIdentifiers(views, change)
  },
  'book.remove': (views, change) => markBook(views, change, true),
  'book.restore': (views, change) => markBook(views, change, false),
  ...FILE_FOLDS,
  'setting.put': (views, { key, body, cursor, timeUs }) =>
    views.put('settings', [key], { value: body.value, cursor, changedAtUs: timeUs }),
  'device.put': (views, { key, body, cursor, timeUs }, note) => {
    const known = views.get('devices', key)
    const secretHash = (typeof note === 'number' ? undefined : note.secretHash) ?? known?.secretHash
    if (secretHash === undefined) throw new Error(`device ${key} came without a secret`)
    views.put('devices', [key], {
      ...body,
      secretHash,
      revoked: known?.revoked ?? false,
      registeredAtUs: known?.registeredAtUs ?? timeUs,
      cursor
    })
  },
  'device.revoke': (views, { key, cursor }) => {
    const known = views.get('devices', key)
    if (known !== undefined) views.put('devices', [key], { ...known, revoked: true, cursor })
  },
  'household.act': (views, change, note, household) =>
    household.fold(views, change, typeof note === 'number' ? undefined : note.hidden)
}

/** Lets one change take effect on the records. */
export function fold(views: Views, change: Change, note: Note, household = NO_HOUSEHOLDS): void {
  const effect = FOLDS[change.kind] as Fold<ChangeKind>
  effect(views, change, note, household)
}

function mergeBook(known: BookRecord | undefined, { body, cursor, timeUs }: Change<'book.put'>): BookRecord {
  const { identifiers, ...given } = body
  return {
    fields: mergeFields(known?.fields ?? {}, given),
    identifiers: mergeFields(known?.identifiers ?? {}, identifiers ?? {}) as Record<string, string>,
    removed: known?.removed ?? false,
    cursor,
    changedAtUs: timeUs,
    createdAtUs: known?.createdAtUs ?? timeUs
  }
}

function markBook(views: Views, { key, cursor, timeUs }: Change, removed: boolean): void {
  const known = views.get('books', key) ?? { fields: {}, identifiers: {}, createdAtUs: timeUs }
  views.put('books', [key], { ...known, removed, cursor, changedAtUs: timeUs })
}
