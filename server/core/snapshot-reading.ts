import { encodeValue, LIMITS, snapshotFrame, type ChangeKind, type Plain, type WireChange } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import { nextTurn, type Clock } from './ports.ts'
import type { Table, Tables } from './records.ts'
import { SEPARATOR, type Views } from './views.ts'

/** Records read at once. */
const PAGE_RECORDS = 64
/** Entries of one `identifiers`: what one put may have. */
const PUT_IDENTIFIERS = 64
/** A longer update goes in parts. A document that is longer takes one of the places of `LargeDocuments`. */
export const PART_BYTES = 524_288

/** What few may do at once, over all accounts. An account has a share of the places, and who waits has its turn by account. */
export class Places {
  #free: number
  readonly #mostOfAccount: number
  /** Places that are taken, by account. */
  readonly #taken = new Map<string, number>()
  /** By account; the one whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>()

  /** @param mostOfAccount of the places, those that one account may have */
  constructor(most: number, mostOfAccount: number) {
    this.#free = most
    this.#mostOfAccount = mostOfAccount
  }

  /** @returns gives the place to the next one; MUST be called once */
  async take(account: string): Promise<() => void> {
    await new Promise<void>(begin => {
      const line = this.#waiting.get(account)
      if (line === undefined) this.#waiting.set(account, [begin])
      else line.push(begin)
      this.#giveOut()
    })
    return () => {
      this.#free += 1
      this.#taken.set(account, this.#takenBy(account) - 1)
      if (this.#takenBy(account) === 0) this.#taken.delete(account)
      this.#giveOut()
    }
  }

  #giveOut(): void {
    for (const [account, line] of this.#waiting) {
      const taken = this.#takenBy(account)
      if (this.#free === 0) return
      if (taken >= this.#mostOfAccount) continue
      this.#free -= 1
      this.#taken.set(account, taken + 1)
      // Behind all others, where it comes round to it again.
      this.#waiting.delete(account)
      if (line.length > 1) this.#waiting.set(account, line)
      line.shift()!()
    }
  }

  #takenBy(account: string): number {
    return this.#taken.get(account) ?? 0
  }
}

/** The places of those who hold a document that is longer than a frame, until its reader has it or was cut off as slow: the others wait, and hold nothing. */
export class LargeDocuments extends Places {
  /** The places of those who read a document: how long it is shows only then. Whoever has one waits for no reader. */
  readonly reading = new Places(4, 1)

  constructor() {
    super(16, 4)
  }
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
    const { updates, release } = await held(account, book, large)
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

/** A document for one reader: a long one with a place, to be released once the reader has it. */
async function held(
  account: Account,
  book: string,
  large: LargeDocuments
): Promise<{ readonly updates: readonly Uint8Array[]; readonly release: () => void }> {
  const read = async (): Promise<readonly Uint8Array[]> => {
    const done = await large.reading.take(account.id)
    try {
      return await account.documents.updates(book)
    } finally {
      done()
    }
  }
  let updates = await read()
  if (updates.reduce((sum, { length }) => sum + length, 0) <= PART_BYTES) return { updates, release: () => undefined }
  // Whoever waits for a place holds nothing.
  updates = []
  const release = await large.take(account.id)
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
