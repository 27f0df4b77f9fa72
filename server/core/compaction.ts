import { countBytes } from './account-size.ts'
import type { Account } from './account.ts'
import { isWhole, type Background } from './documents/steps.ts'
import { nextTurn, type Clock, type Logger } from './ports.ts'
import { StoreDamage, type Store } from './store.ts'
import { forgetTold } from './tellings.ts'
import { Views } from './views.ts'

/** Compaction is worth its while from so many changes or bytes on that can go. */
const DUE = { changes: 2_048, bytes: 16_777_216 }
/** After one that could let nothing go, this much comes before the next. */
const AGAIN_AFTER = { changes: 512, bytes: 8_388_608 }
const PAGE_DOCUMENTS = 64
const PAGE_DEVICES = 64

/** What a compaction did. */
export interface Compaction {
  /** The oldest cursor that the log held before, and holds now. */
  readonly floorBefore: number
  readonly floor: number
  readonly head: number
  /** The floor that the clients allow: above `floor` by less than the store's least unit, unless documents hold it. */
  readonly allowedFloor: number
  /** Documents of which a snapshot was made. */
  readonly folded: number
  /** Books whose document Yjs does not give back as it was: the log is kept from their first change that no snapshot holds. */
  readonly unfoldable: readonly string[]
}

export interface CompactorParts {
  readonly store: Store
  readonly clock: Clock
  readonly background: Background
  readonly logger: Logger
}

/**
 * Lets the logs' beginnings go, one account at a time and step by step, with turns of the event loop for others in between.
 *
 * What the changes below the floor have led to is in the records and in the documents' snapshots; only when those are on disk, read back and sound, is
 * anything trimmed. So it may end at any moment.
 */
export class Compactor {
  readonly #parts: CompactorParts
  /** Where the head was when an account was last looked at without success. */
  readonly #triedAt = new WeakMap<Account, number>()
  readonly #queued = new Set<Account>()
  #last: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(parts: CompactorParts) {
    this.#parts = parts
  }

  /** Compacts an account in the background if enough of its log can go. */
  consider(account: Account): void {
    const { durableHead, floor } = account
    const tried = this.#triedAt.get(account) ?? 0
    const couldGo = isOver(DUE, account, floor, durableHead) && isOver(AGAIN_AFTER, account, tried, durableHead)
    if (!couldGo || this.#queued.has(account) || this.#isStopped) return
    this.#triedAt.set(account, durableHead)
    if (!isOver(DUE, account, floor, account.readers.floor(durableHead, this.#parts.clock.nowMs()))) return
    this.compact(account).catch((error: unknown) => {
      this.#parts.logger.error({ err: error, account: account.id }, 'the log could not be compacted; all of it is kept')
    })
  }

  /**
   * Compacts an account as far as its clients allow, once those before it are done.
   * @throws StoreDamage when what was to replace the log is not sound: then nothing was trimmed
   */
  compact(account: Account): Promise<Compaction> {
    this.#queued.add(account)
    account.isCompacting = true
    const compaction = this.#last.then(() => this.#compact(account))
    const settled = compaction.then(
      () => undefined,
      () => undefined
    )
    this.#last = settled.then(() => {
      account.isCompacting = false
      this.#queued.delete(account)
    })
    return compaction
  }

  /** Begins nothing more. Resolves when the step under way is done. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#last
  }

  async #compact(account: Account): Promise<Compaction> {
    const { store, clock, logger } = this.#parts
    const floorBefore = account.floor
    await this.#forgetRevoked(account)
    const allowedFloor = account.readers.floor(account.durableHead, clock.nowMs())
    const { folded, unfoldable } = await this.#snapshotDocuments(account, allowedFloor)
    account.readers.putRecord()
    account.storeRecords()
    await account.settled()
    const target = await this.#soundFloor(account, floorBefore, allowedFloor)
    for (let last = 0; last !== account.floor && !this.#isStopped;) {
      last = account.floor
      account.floor = Math.max(last, await store.trim(account.id, target))
      await nextTurn(this.#parts.clock)
    }
    const { floor, durableHead: head, heldBytes: before } = account
    const counted = await countBytes(store, clock, account.id, floor, head)
    // Beside what was written while it was counted.
    account.heldBytes = counted + Math.max(0, account.heldBytes - before)
    account.storeRecords()
    logger.info({ account: account.id, floorBefore, floor, head, folded, unfoldable: unfoldable.length }, 'compacted')
    return { floorBefore, floor, head, allowedFloor, folded, unfoldable }
  }

  /** Lets go of what devices were told that were cut off, and will not ask again. */
  async #forgetRevoked(account: Account): Promise<void> {
    for (const page of account.views.pages('devices', [], PAGE_DEVICES)) {
      for (const [device, { revoked }] of page) if (revoked && !this.#isStopped) await forgetTold(account, device)
      await nextTurn(this.#parts.clock)
    }
  }

  /** Makes a snapshot of each document that has a change below the floor that no snapshot holds. */
  async #snapshotDocuments(account: Account, floor: number): Promise<{ folded: number; unfoldable: string[] }> {
    const unfoldable: string[] = []
    let folded = 0
    for await (const book of this.#books(account.views)) {
      const first = account.views.get('documents', book)?.tail[0] ?? Infinity
      if (first >= floor || this.#isStopped) continue
      await account.documents.load(new Set([book]))
      if (await account.documents.snapshot(book)) folded += 1
      else if (!this.#isStopped) unfoldable.push(book)
      await account.settled()
    }
    return { folded, unfoldable }
  }

  /** How far the log can go by what is on disk, and is sound there. */
  async #soundFloor(account: Account, floorBefore: number, allowedFloor: number): Promise<number> {
    const stored = new Views(this.#parts.store, account.id)
    let floor = Math.min(allowedFloor, (stored.get('fold')?.foldedTo ?? 0) + 1)
    for await (const book of this.#books(stored)) {
      const { tail, folded = 0 } = stored.get('documents', book)!
      floor = Math.min(floor, tail[0] ?? Infinity)
      if (folded < floorBefore) continue
      const snapshot = stored.get('snapshots', book)
      const isSound = snapshot !== undefined && (await this.#parts.background.run(isWhole(snapshot)))
      if (this.#isStopped) return floorBefore
      if (isSound !== true) throw new StoreDamage(`the snapshot of the document ${book} of ${account.id} cannot be read`)
    }
    return floor
  }

  async *#books(views: Views): AsyncGenerator<string> {
    for (const page of views.pages('documents', [], PAGE_DOCUMENTS)) {
      for (const [book] of page) yield book
      await nextTurn(this.#parts.clock)
    }
  }
}

/** True when the log holds so much behind `after`, up to `cursor`. */
const isOver = ({ changes, bytes }: typeof DUE, { readers }: Account, after: number, cursor: number): boolean =>
  cursor - after >= changes || readers.bytesBetween(after, cursor) >= bytes
