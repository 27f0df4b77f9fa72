import { decodeValue, decodeValues, type ChangeBody, type ChangeKind, type WireChange } from '../../protocol/index.ts'
import type { StoredRun } from './store.ts'

/** Where in the log a change stands, and which device asked for it. */
export interface Moment {
  readonly cursor: number
  readonly timeUs: number
  readonly device: string
}

/** One entry of an account's log. */
export interface Change<K extends ChangeKind = ChangeKind> extends Moment {
  readonly client: string
  /** The action that it was; 0 for one without a number. */
  readonly number: number
  /** The client's clock, clamped to the hub's. */
  readonly atMs: number
  readonly kind: K
  readonly key: string
  readonly body: ChangeBody<K>
  /** The body as msgpack, where it is at hand. */
  readonly encoded?: Uint8Array
}

/** A change that is not in the log yet. */
export type NewChange = Change & { readonly encoded: Uint8Array }

/** What only the hub keeps about a change: the digest of the action that it came from, and rarely more. */
export type Note = number | RichNote

export interface RichNote {
  readonly digest: number
  /** A registered device's token, hashed. */
  readonly secretHash?: Uint8Array
  /** The epoch in which the hub itself made a Yjs update out of a plain action. */
  readonly madeIn?: string
  /** The part of a household's action that nobody but the hub may know, as msgpack. */
  readonly hidden?: Uint8Array
}

/** Bytes of the note that count as what the change takes in the store. */
export const hiddenBytes = (note: Note): number => (typeof note === 'number' ? 0 : (note.hidden?.length ?? 0))

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
