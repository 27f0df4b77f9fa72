import type { ActionBody, ChangeBody, ErrorCode, Plain } from '../../protocol/index.ts'

/** A book as its puts have left it. */
export interface BookRecord {
  readonly fields: Omit<ActionBody<'book.put'>, 'identifiers'>
  /** `type:value` → who says so. */
  readonly identifiers: Readonly<Record<string, string>>
  readonly removed: boolean
  /** The newest change that touched the book. */
  readonly cursor: number
  readonly changedAtUs: number
  readonly createdAtUs: number
}

/** Which book an identifier names. */
export interface IdentifierRecord {
  /** Absent when it names none any more. */
  readonly book?: string
  /** The newest change that said so; 0 when that is not known. */
  readonly cursor: number
}

/** One device's position in one book. */
export interface PositionRecord {
  readonly fields: ActionBody<'position.set'>
  /** The outbox that set it. */
  readonly client: string
  /** The client's own clock, clamped to the hub's. */
  readonly atMs: number
  readonly cursor: number
  readonly changedAtUs: number
}

/**
 * The positions that a device had in a book, thinned out with time: what can be restored, below the floor too. Changes in place; read and written by
 * `position-history.ts`.
 *
 * Kept as numbers and bytes: most page turns are never looked at again, but as objects each would outlive V8's young generation, and so cost a fifth more.
 */
export interface PositionHistoryRecord {
  /** A row for each version, by rising cursor: cursor, timeUs, atMs, progression, 1 where the reader went back from it, and where its fields end. */
  numbers: number[]
  /** The fields of the versions as msgpack, one behind the other. In memory there may be room behind them; what was written stays as it is. */
  fields: Uint8Array
  /** How many came since they were last thinned out. */
  added: number
}

/** How an annotation stood before a change. */
export interface AnnotationVersion {
  /** The change that it stood before. */
  readonly cursor: number
  readonly timeUs: number
  /** The device that made the change. */
  readonly device: string
  /** The annotation in plain form, without its mark of removal, as msgpack. */
  readonly fields: Uint8Array
  /** A turning point, kept longer than others: the change removed it, or came from another device than the one before. */
  isTurn?: true
}

/** How an annotation stood before, thinned out with time: what can be restored, below the floor too. Changes in place. */
export interface AnnotationHistoryRecord {
  /** By rising cursor. */
  versions: AnnotationVersion[]
  /** How many came since they were last thinned out. */
  added: number
  /** Bytes of those. */
  addedBytes: number
}

/** A time of edits of one document: of what each device changes in it one version is kept. */
export interface BurstRecord {
  readonly startedUs: number
  /** The device that made the last edit. */
  readonly lastDevice: string
  readonly touched: readonly (readonly [annotation: string, ...devices: string[]])[]
}

/** The content of a file, by its hash. */
export type FileContent = Pick<ChangeBody<'file.put'>, 'sha256' | 'sizeBytes' | 'mtimeMs'>

/** The file that is, or was, at a path. */
export interface FileRecord {
  /** 1 to 2^31 - 1; the file's own for good, wherever it moves. Folders' ids are of the same series. */
  readonly id: number
  readonly content: FileContent
  readonly removed: boolean
  /** It went on under this path, with its id; a new file here gets another one. */
  readonly movedTo?: string
  /** The device that made the newest change. */
  readonly device: string
  /** The newest change that touched it. */
  readonly cursor: number
  readonly createdAtUs: number
  readonly changedAtUs: number
  /** It got its path from another one. */
  readonly movedAtUs?: number
  /** The open conflicts over the path. */
  readonly conflicts?: readonly string[]
}

/** A folder is there as long as files are in it. */
export interface FolderRecord {
  readonly id: number
  /** Files and folders right in it that are there; 0 when it is gone. */
  readonly entries: number
  readonly cursor: number
  readonly createdAtUs: number
  /** It came or went. */
  readonly changedAtUs: number
}

export interface FileVersion {
  readonly cursor: number
  readonly timeUs: number
  readonly device: string
  readonly content: FileContent
}

/** The contents that a path had, by rising cursor; of more than can be kept the newest. */
export interface FileHistoryRecord {
  readonly versions: readonly FileVersion[]
  readonly cursor: number
}

/** Bytes that the hub holds for the account. */
export interface ContentRecord {
  readonly sizeBytes: number
  readonly cursor: number
}

/** Two devices changed what is at a path, each without knowing of the other. */
export interface ConflictRecord {
  readonly path: string
  /** The side that the path did not get; null for a removal. */
  readonly client: FileContent | null
  /** The device whose side that is. */
  readonly device: string
  readonly cursor: number
  readonly createdAtUs: number
  readonly resolvedAtUs?: number
  /** Where the client's side went, when both were kept. */
  readonly beside?: string
}

/** A conflict that nobody has resolved. */
export interface OpenConflictRecord {
  readonly cursor: number
}

/** Counts over all of an account's files. */
export interface FileTotalsRecord {
  /** The newest id of a file or a folder. */
  readonly lastId: number
  /** Bytes of the contents that the hub holds for the account. */
  readonly contentBytes: number
  readonly cursor: number
}

export interface SettingRecord {
  readonly value: Plain
  readonly cursor: number
  readonly changedAtUs: number
}

export interface DeviceRecord {
  readonly name: string
  readonly app: string
  readonly readOnly: boolean
  /** SHA-256 of the token's secret. */
  readonly secretHash: Uint8Array
  readonly revoked: boolean
  /** It is not let in until somebody enables it. */
  readonly disabled?: boolean
  readonly registeredAtUs: number
  /** The newest change that touched it. */
  readonly cursor: number
}

/** The kept answer to one action: accepted at `cursor`, or refused for `code`. */
export type Answer =
  | readonly [number: number, digest: number, cursor: number]
  | readonly [number: number, digest: number, cursor: 0, code: ErrorCode, message: string, field: string]

/** What the hub remembers of one outbox. Changes in place: it is touched by every action. */
export interface ClientRecord {
  lastNumber: number
  /** By rising number; from the first that the client has not confirmed. */
  answers: Answer[]
}

/** Where a book's annotation document is kept: its snapshot, and the log's changes since. */
export interface DocumentRecord {
  /** Cursors of the updates that the snapshot lacks. Changes in place. */
  readonly tail: number[]
  /** The newest update that the snapshot holds; absent before the first one. */
  readonly folded?: number
  /** When the newest update was made. Changes in place. */
  changedAtUs: number
}

export interface SnapshotRecord {
  /** The document as one Yjs v1 update. */
  readonly update: Uint8Array
  /** It is taken in at once, and not in steps. */
  readonly isShort?: true
  /** Which device each Yjs client id belongs to; `@` and an epoch stand for the hub itself. */
  readonly owners: readonly (readonly [yjsClient: number, device: string])[]
  /** The burst that was under way then. */
  readonly burst?: BurstRecord
}

/**
 * How far the clients say that they keep the log. Beside the log and not folded from it: should it be lost, some client may have to begin from a snapshot.
 */
export interface ReadersRecord {
  readonly readers: readonly (readonly [device: string, client: string, cursor: number, seenAtMs: number])[]
  /** Cursors of the newest marks, one for each MiB of the log. */
  readonly marks: readonly number[]
}

/** A part of what a household comes to, in the form that its rules give it. */
export interface HouseholdRecord {
  /** The newest change that touched it. */
  readonly cursor: number
}

/**
 * What a device has of an item, as the hub told it, or it the hub. Beside the log and not folded from it: should it be lost, the device is told once more, and its next edit of the item counts
 * as one of all fields in which it differs.
 */
export interface TellingRecord {
  /** By rising time of the hub: what the device has once it has got there. */
  readonly entries: readonly (readonly [atUs: number, value: Plain])[]
  /** Where the item is, such as a book and an annotation. */
  readonly place?: readonly string[]
}

/** How far the stored records have followed the log. */
export interface FoldRecord {
  readonly foldedTo: number
  readonly timeUs: number
  /** About the bytes that the account takes in the store: as last counted, and what was written since. */
  readonly heldBytes: number
}

/** A book of which something changed, at the time that is the key. */
export interface ActivityRecord {
  readonly book: string
  /** It has a record, which is not removed. */
  readonly isListed: boolean
}

/** The time under which a book's entry stands in `activity`. */
export interface TouchedRecord {
  readonly timeUs: number
}

/** Every kind of record of an account, and what its key names. */
export interface Tables {
  /** No key. */
  fold: FoldRecord
  /** No key. */
  readers: ReadersRecord
  /** book */
  books: BookRecord
  /** identifier */
  identifiers: IdentifierRecord
  /** book, device */
  positions: PositionRecord
  /** book, device */
  positionHistories: PositionHistoryRecord
  /** path */
  files: FileRecord
  /** path */
  fileHistories: FileHistoryRecord
  /** path */
  folders: FolderRecord
  /** SHA-256 */
  contents: ContentRecord
  /** conflict */
  conflicts: ConflictRecord
  /** conflict */
  openConflicts: OpenConflictRecord
  /** No key. */
  fileTotals: FileTotalsRecord
  /** name */
  settings: SettingRecord
  /** device */
  devices: DeviceRecord
  /** device, client */
  clients: ClientRecord
  /** book */
  documents: DocumentRecord
  /** book, annotation */
  annotationHistories: AnnotationHistoryRecord
  /** book */
  snapshots: SnapshotRecord
  /** part, and an id where there are several of it */
  household: HouseholdRecord
  /** The time of a change, in microseconds and 16 digits; of each book its newest. Derived from `books`, `positions` and `documents`. */
  activity: ActivityRecord
  /** book */
  touched: TouchedRecord
  /** device, item */
  tellings: TellingRecord
}

export type Table = keyof Tables
