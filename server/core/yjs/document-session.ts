import * as Y from 'yjs'
import { decodeValue, HubError, type WireChange } from '../../../protocol/index.ts'
import type { Follower } from '../account-host.ts'
import type { Account } from '../account.ts'
import type { Document } from '../documents/document.ts'
import { STEP_COST } from '../documents/steps.ts'
import { missingUpdates } from '../documents/updates/missing.ts'
import { updateParts } from '../documents/updates/steps.ts'
import { HIGH_WATER_BYTES } from '../log-reader.ts'
import type { Origin } from '../origin.ts'
import { mustBeLetIn, type Bearer } from '../policy.ts'
import { nextTurn, type Clock } from '../ports.ts'
import type { Presence, Seat } from '../presence.ts'
import { PART_BYTES, type LargeDocuments } from '../snapshot-reading.ts'

/** Updates of one connection that may be taken in one turn of the event loop. */
const UPDATES_PER_TURN = 8
/** A longer one may hold much that is known, and more than one action may. */
const LONG_UPDATE_BYTES = 16_384
/** Bytes of an update that are read in the time that `updateCost` counts as one. */
const READ_BYTES_PER_COST = 8
const MAX_GAPS_IN_A_ROW = 3
/** A long answer goes in messages of about so much: providers leave when no whole message came for 30 seconds, and would begin anew each time on a slow line. */
const ANSWER_PART_BYTES = 65_536
const NOTHING = Uint8Array.of(0, 0)

/** How a Yjs wire says what a document session has to say, each in its own envelope. */
export interface Outlet {
  /** Bytes that it holds unsent. */
  readonly bufferedBytes: number
  /** Asks the other end for what this state vector lacks. */
  askSince(stateVector: Uint8Array): void
  /** Gives the other end what it asked for, or the last of it. */
  answer(update: Uint8Array): void
  /** Gives a new durable update, the other end's own ones too. */
  update(update: Uint8Array): void
  presence(news: readonly Presence[]): void
  /** One message of the other end that held edits is durable, or was not taken. */
  saved(isSaved: boolean): void
  end(error: HubError): void
}

export interface DocumentSessionParts {
  readonly account: Account
  readonly refusal: Bearer['refusal']
  readonly origin: Origin
  readonly book: string
  readonly outlet: Outlet
  readonly clock: Clock
  readonly largeDocuments: LargeDocuments
}

/**
 * A book's annotation document, shared with a Yjs provider on one connection. What the provider sends becomes changes in the log, as from anyone;
 * what it hears are the log's changes of this book, once they are durable.
 */
export class DocumentSession implements Follower {
  readonly device: string
  /** It is no outbox. */
  readonly client = ''
  readonly #parts: DocumentSessionParts
  readonly #seat: Seat
  #updatesInTurn = 0
  #gapsInARow = 0
  /** The clocks up to which the other end has everything, when it did not take what came after. */
  #behind: Map<number, number> | undefined
  /** Each gives a permit of `LargeDocuments` back, once its answer has left. */
  readonly #releases: (() => void)[] = []
  #isClosed = false

  private constructor(parts: DocumentSessionParts) {
    const { account, origin, book, outlet } = parts
    this.#parts = parts
    this.device = origin.device
    this.#seat = account.presences.join(book, origin.device, {
      isFull: () => outlet.bufferedBytes >= HIGH_WATER_BYTES,
      onPresence: news => outlet.presence(news)
    })
    account.follow(this)
  }

  /** Opens the document, and asks the provider for what it has beyond. @throws HubError `overloaded`, and why the token lets nobody in any more */
  static async open(parts: DocumentSessionParts): Promise<DocumentSession> {
    mustBeLetIn(parts)
    const session = new DocumentSession(parts)
    try {
      const { doc } = await session.#load()
      if (session.#isClosed) return session
      parts.outlet.askSince(Y.encodeStateVector(doc))
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  refusal(): HubError | undefined {
    return this.#parts.refusal()
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Answers with what a state vector lacks. @throws HubError `bad-frame` */
  answer(stateVector: Uint8Array): Promise<void> {
    return this.#give(stateVector, true)
  }

  /**
   * Gives what a state vector lacks. What is long waits for a permit, which it has until it has left.
   * @param isAnswer the last of it goes as the answer, behind which the other end takes itself to have all; never so while what it asked for is on its way
   */
  async #give(stateVector: Uint8Array, isAnswer: boolean): Promise<void> {
    const { account, book, largeDocuments, outlet } = this.#parts
    const made = (): Promise<Uint8Array | undefined> =>
      account.documents.withDocument(book, document => (this.#isClosed ? undefined : document.since(stateVector)))
    let update = await made()
    let release: (() => void) | undefined
    try {
      if (update !== undefined && update.length > PART_BYTES) {
        // Whoever waits for a permit holds nothing.
        update = undefined
        release = await largeDocuments.held.acquire(account.id)
        update = await made()
      }
      await account.settled()
      if (this.#isClosed || update === undefined) return
      if (release !== undefined) await this.#giveInParts(update, isAnswer)
      else if (isAnswer) outlet.answer(update)
      // A view of its own: nobody else needs the message that is kept for it.
      else outlet.update(update.subarray())
      if (release === undefined || this.#isClosed || outlet.bufferedBytes < HIGH_WATER_BYTES) return
      this.#releases.push(release)
      release = undefined
    } finally {
      release?.()
    }
  }

  async #giveInParts(update: Uint8Array, isAnswer: boolean): Promise<void> {
    const { account, clock, outlet } = this.#parts
    const { documents } = account
    for (const part of updateParts(update, ANSWER_PART_BYTES)) {
      documents.spend(STEP_COST)
      if (part !== undefined) outlet.update(part)
      await nextTurn(clock)
      while (documents.isBudgetSpent) await documents.waitForBudget()
      if (this.#isClosed) return
    }
    if (isAnswer) outlet.answer(NOTHING)
  }

  /** The carrier has sent all that was answered. */
  sent(): void {
    for (const release of this.#releases.splice(0)) release()
  }

  /**
   * Takes an update in. The promise, if there is one, says when the next may come; `Outlet.saved` says when it is durable.
   * @param isState it is an answer to `askSince`
   */
  take(update: Uint8Array, isState: boolean): Promise<void> | undefined {
    const { account, book, clock } = this.#parts
    const { documents } = account
    if (isState || update.length > LONG_UPDATE_BYTES || !documents.isLoaded(book) || documents.isBudgetSpent)
      return this.#takeInParts(update)
    this.#save([this.#perform(update)])
    this.#updatesInTurn += 1
    if (this.#updatesInTurn < UPDATES_PER_TURN) return undefined
    this.#updatesInTurn = 0
    return nextTurn(clock)
  }

  /** Says something of a reader. @throws HubError `bad-request` */
  say(id: number, clock: number, state: string | undefined): void {
    this.#seat.say(id, clock, state)
  }

  /** Tells everyone who reads the book. */
  tellPresent(): void {
    this.#seat.tellAll()
  }

  deliver(frame: Uint8Array): void {
    const { book, outlet } = this.#parts
    for (const [, , , , , , kind, key, body] of changesIn(frame)) {
      if (kind !== 'annotation.update' || key !== book) continue
      if (this.#behind === undefined && outlet.bufferedBytes < HIGH_WATER_BYTES) outlet.update(body as Uint8Array)
      else this.#fallBehind(body as Uint8Array)
    }
  }

  /** The connection has sent what it held. The promise, if there is one, says when the other end was given what it missed; it never rejects. */
  drained(): Promise<void> | undefined {
    if (this.#isClosed) return undefined
    this.#seat.tellMissed()
    const behind = this.#behind
    // Another document of the connection may have been quicker.
    if (behind === undefined || this.#parts.outlet.bufferedBytes >= HIGH_WATER_BYTES) return undefined
    this.#behind = undefined
    return this.#give(Y.encodeStateVector(behind), false).catch((error: unknown) => this.#fault(error))
  }

  end(reason: HubError): void {
    if (this.#isClosed) return
    this.close()
    this.#parts.outlet.end(reason)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.sent()
    this.#seat.leave()
    this.#parts.account.followers.delete(this)
  }

  async #load(): Promise<Document> {
    const { account, book } = this.#parts
    await account.documents.load(new Set([book]))
    return account.documents.use(book)
  }

  async #takeInParts(update: Uint8Array): Promise<void> {
    const { account, book, clock } = this.#parts
    const { documents } = account
    let parts
    try {
      parts = await documents.withDocument(book, ({ doc }) => {
        documents.spend(update.length / READ_BYTES_PER_COST)
        return this.#isClosed ? [] : missing(update, doc)
      })
    } catch (error) {
      return this.#fault(error)
    }
    const saves: Promise<boolean>[] = []
    for (const part of parts) {
      await documents.withDocument(book, () => {
        if (!this.#isClosed) saves.push(this.#perform(part))
      })
      if (this.#isClosed) return
      await nextTurn(clock)
    }
    this.#save(saves)
  }

  /** Resolves with true once the update is durable, and with false when it was refused and the session goes on. */
  async #perform(update: Uint8Array): Promise<boolean> {
    const { account, origin, book, outlet } = this.#parts
    try {
      await account.perform(origin, 'annotation.update', book, update)
      this.#gapsInARow = 0
      return true
    } catch (error) {
      const code = error instanceof HubError ? error.code : 'internal'
      if (code === 'update-gap' && ++this.#gapsInARow <= MAX_GAPS_IN_A_ROW)
        outlet.askSince(Y.encodeStateVector((await this.#load()).doc))
      else if (code !== 'forbidden') this.#fault(error)
      return false
    }
  }

  #save(saves: readonly Promise<boolean>[]): void {
    Promise.all(saves).then(
      all => {
        if (!this.#isClosed) this.#parts.outlet.saved(!all.includes(false))
      },
      (error: unknown) => this.#fault(error)
    )
  }

  /** What the connection cannot take now is given later out of the document, as one update. */
  #fallBehind(update: Uint8Array): void {
    const { account, book } = this.#parts
    if (this.#behind === undefined) {
      if (!account.documents.isLoaded(book)) return this.end(new HubError('slow'))
      this.#behind = Y.decodeStateVector(Y.encodeStateVector(account.documents.use(book).doc))
    }
    for (const [client, from] of Y.parseUpdateMeta(update).from)
      this.#behind.set(client, Math.min(from, this.#behind.get(client) ?? 0))
  }

  #fault(error: unknown): void {
    this.end(error instanceof HubError ? error : new HubError('internal'))
  }
}

/** @throws HubError `bad-update`, `too-large` */
function missing(update: Uint8Array, doc: Y.Doc): Uint8Array[] {
  try {
    return missingUpdates(update, doc)
  } catch (error) {
    if (error instanceof HubError) throw error
    throw new HubError('bad-update', 'the Yjs update cannot be decoded as version 1')
  }
}

let lastFrame: Uint8Array | undefined
let lastChanges: WireChange[] = []

/** The changes of a frame, which comes to many sessions one after the other. */
function changesIn(frame: Uint8Array): readonly WireChange[] {
  if (frame !== lastFrame) {
    lastChanges = (decodeValue(frame) as unknown as [number, WireChange[]])[1]
    lastFrame = frame
  }
  return lastChanges
}
