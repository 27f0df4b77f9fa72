import { encodeValue, LIMITS, snapshotFrame, type ChangeKind, type Plain, type WireChange } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import { FairSemaphore } from './fair-queue.ts'
import { nextTurn, type Clock } from './ports.ts'
import type { Table, Tables } from './records.ts'
import { SEPARATOR, type Views } from './views.ts'

/** Records read at once. */
const PAGE_RECORDS = 64
/** Entries of one `identifiers`: what one put may have. */
const PUT_IDENTIFIERS = 64
/** A longer update goes in parts. A document that is longer takes a permit of `LargeDocuments.held`. */
export const PART_BYTES = 524_288

/** Who may work on documents that are longer than a frame, over all accounts: the others wait, and hold nothing. */
export class LargeDocuments {
  /** For whoever holds such a document, until its reader has it or was cut off as slow. */
  readonly held = new FairSemaphore(16, 4)
  /** For whoever reads any document, because its length shows only then. Whoever has such a permit waits for no reader. */
  readonly reading = new FairSemaphore(4, 1)
}

/**
 * The state of an account as `snapshot` frames, read page by page while others go on: a page may be newer than the one before. It holds everything up to
 * the head at which the reading began; what it holds beyond is told again by the changes that follow, and does nothing the second time.
 *
 * A frame is given out once all that it holds is durable.
 */
export async function* snapshotFrames(
  account: Account,
  clock: Clock,
  large: LargeDocuments
): AsyncGenerator<Uint8Array, void, void> {
  let entries: Uint8Array[] = []
  let bytes = 0
  const take = (isLast: boolean): Uint8Array => {
    const frame = snapshotFrame(entries, isLast)
    entries = []
    bytes = 0
    return frame
  }
  for await (const entry of entriesOf(account, large)) {
    const encoded = encodeValue(entry)
    if (bytes > 0 && bytes + encoded.length > LIMITS.changesFrameBytes) {
      if (account.head > account.durableHead) await account.settled()
      yield take(false)
      await nextTurn(clock)
    }
    entries.push(encoded)
    bytes += encoded.length
  }
  if (account.head > account.durableHead) await account.settled()
  yield take(true)
}

/** The changes that would make the account as it is. */
async function* entriesOf(account: Account, large: LargeDocuments): AsyncGenerator<WireChange> {
  const { views } = account
  for (const [id, { name, app, readOnly, disabled, revoked, cursor, registeredAtUs }] of recordsOf(views, 'devices')) {
    yield entry(cursor, registeredAtUs, 'device.put', id, { name, app, readOnly, ...(disabled === true && { disabled }) })
    if (revoked) yield entry(cursor, registeredAtUs, 'device.revoke', id, {})
  }
  for (const [id, { fields, identifiers, removed, cursor, changedAtUs }] of recordsOf(views, 'books')) {
    const all = Object.entries(identifiers)
    for (let at = 0; at === 0 || at < all.length; at += PUT_IDENTIFIERS) {
      const some = { identifiers: Object.fromEntries(all.slice(at, at + PUT_IDENTIFIERS)) }
      yield entry(cursor, changedAtUs, 'book.put', id, at === 0 ? { ...fields, ...some } : some)
    }
    if (removed) yield entry(cursor, changedAtUs, 'book.remove', id, {})
  }
  for (const [id, { fields, client, atMs, cursor, changedAtUs }] of recordsOf(views, 'positions')) {
    const [book, device] = id.split(SEPARATOR) as [string, string]
    yield [cursor, changedAtUs, device, client, 0, atMs, 'position.set', book, fields]
  }
  for (const [content, { sizeBytes, cursor }] of recordsOf(views, 'contents'))
    yield entry(cursor, 0, 'content.put', content, { sizeBytes })
  for (const [path, { content, removed, movedTo, cursor, changedAtUs }] of recordsOf(views, 'files')) {
    if (movedTo !== undefined) continue
    yield entry(cursor, changedAtUs, 'file.put', path, { ...content })
    if (removed) yield entry(cursor, changedAtUs, 'file.remove', path, { base: content.sha256 })
  }
  for (const [id] of recordsOf(views, 'openConflicts')) {
    const { path, client, device, cursor, createdAtUs } = views.get('conflicts', id)!
    yield [cursor, createdAtUs, device, '', 0, 0, 'file.conflict', path, { client }]
  }
  for (const [name, { value, cursor, changedAtUs }] of recordsOf(views, 'settings'))
    yield entry(cursor, changedAtUs, 'setting.put', name, { value })
  for (const [book, { tail, folded = 0 }] of recordsOf(views, 'documents')) {
    const cursor = tail.at(-1) ?? folded
    const { updates, release } = await readDocument(account, book, large)
    try {
      for (const update of updates) {
        let at = 0
        for (; update.length - at > PART_BYTES; at += PART_BYTES)
          yield entry(cursor, 0, 'annotation.part', book, update.subarray(at, at + PART_BYTES))
        yield entry(cursor, 0, 'annotation.update', book, update.subarray(at))
      }
    } finally {
      release()
    }
  }
}

/** A document for one reader: a long one with a permit, to be released once the reader has it. */
async function readDocument(
  account: Account,
  book: string,
  large: LargeDocuments
): Promise<{ readonly updates: readonly Uint8Array[]; readonly release: () => void }> {
  const read = async (): Promise<readonly Uint8Array[]> => {
    const done = await large.reading.acquire(account.id)
    try {
      return await account.documents.updates(book)
    } finally {
      done()
    }
  }
  let updates = await read()
  if (updates.reduce((sum, { length }) => sum + length, 0) <= PART_BYTES) return { updates, release: () => undefined }
  // Whoever waits for a permit holds nothing.
  updates = []
  const release = await large.held.acquire(account.id)
  try {
    return { updates: await read(), release }
  } catch (error) {
    release()
    throw error
  }
}

function* recordsOf<T extends Table>(views: Views, table: T): Generator<[key: string, value: Tables[T]]> {
  for (const page of views.pages(table, [], PAGE_RECORDS)) yield* page
}

const entry = (cursor: number, timeUs: number, kind: ChangeKind | 'annotation.part', key: string, body: Plain): WireChange => [
  cursor,
  timeUs,
  '',
  '',
  0,
  0,
  kind,
  key,
  body
]
