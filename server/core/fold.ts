import { mergeFields, positionReplaces, type ChangeKind } from '../../protocol/index.ts'
import { newClient, keepAnswer } from './answers.ts'
import type { Change, Note } from './change.ts'
import { FILE_FOLDS } from './files/fold.ts'
import { NO_HOUSEHOLDS, type HouseholdRules } from './household.ts'
import { foldIdentifiers } from './identifiers.ts'
import { addPosition, newPositionHistory } from './position-history.ts'
import type { BookRecord, PositionRecord } from './records.ts'
import type { Views } from './views.ts'

/** Lets a change of one kind take effect on the records. */
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
    const key = [change.key, change.device]
    if (positionReplaces(record, views.get('positions', change.key, change.device))) views.put('positions', key, record)
    // One that another outbox outran can be restored all the same.
    const history = views.edit('positionHistories', key, newPositionHistory)
    addPosition(history, change)
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

/** Lets a change of the log take effect on the records once more: those of its kind, and the counter and answer of the client that asked for it. */
export function foldLogged(views: Views, change: Change, note: Note, household?: HouseholdRules): void {
  fold(views, change, note, household)
  foldCounter(views, change, note)
}

/** Its effect on the client's counter and answers alone. */
export function foldCounter(views: Views, { device, client, number, cursor }: Change, note: Note): void {
  if (number === 0) return
  const record = views.edit('clients', [device, client], newClient)
  if (number > record.lastNumber) keepAnswer(record, [number, typeof note === 'number' ? note : note.digest, cursor])
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
