import { decodeValue, decodeValues, type WireChange } from '../../protocol/index.ts'
import { newClient, remember } from './answers.ts'
import { fold, type Change, type Note } from './fold.ts'
import type { HouseholdRules } from './household.ts'
import type { StoredRun } from './store.ts'
import type { Views } from './views.ts'

/** A change as the log holds it, and what only the hub keeps about it. */
export interface LoggedChange {
  readonly change: Change
  readonly note: Note
}

/** The changes of a stored run, in order. */
export function* changesOf({ run, notes }: StoredRun): Generator<LoggedChange> {
  const hubNotes = decodeValue(notes) as unknown as Note[]
  const changes = decodeValues(run) as unknown as WireChange[]
  for (const [index, [cursor, timeUs, device, client, number, atMs, kind, key, body]] of changes.entries()) {
    const change = { cursor, timeUs, device, client, number, atMs, kind, key, body } as unknown as Change
    yield { change, note: hubNotes[index]! }
  }
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
  if (number > record.lastNumber) remember(record, [number, typeof note === 'number' ? note : note.digest, cursor])
}
