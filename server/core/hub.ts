import { HubError } from '../../protocol/index.ts'
import type { AccountHost } from './account-host.ts'
import { Account } from './account.ts'
import { Committer } from './committer.ts'
import { Compactor, type Compaction } from './compaction.ts'
import { DocumentReadings } from './document-reading.ts'
import { Background } from './documents/steps.ts'
import { TurnBudget } from './documents/turn-budget.ts'
import { NO_HOUSEHOLDS, type HouseholdRules } from './household.ts'
import { newId } from './ids.ts'
import type { Bearer } from './policy.ts'
import type { Clock, HubConnection, Logger, RandomBytes } from './ports.ts'
import { Session, type LiveSession, type SessionHost } from './session.ts'
import { LargeDocuments } from './snapshot-reading.ts'
import type { Store } from './store.ts'
import { Tally } from './tally.ts'

const SWEEP_INTERVAL_MS = 15_000
const DOCUMENT_IDLE_MS = 60_000
/** With more than this many in memory, an account's documents leave sooner. */
const MANY_DOCUMENTS = 100
const ACCOUNT_IDLE_MS = 300_000
/** With more than this many in memory, idle accounts leave sooner. */
const MANY_ACCOUNTS = 1_000

/** Finds whom a token stands for. @throws HubError `unauthenticated`, `device-revoked`, `device-disabled` */
export type Authenticate = (token: string, open: (account: string) => Promise<Account | undefined>) => Promise<Bearer>

export interface HubParts {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly randomBytes: RandomBytes
  readonly authenticate: Authenticate
  /** Live connections, over all accounts. More are sent away with `overloaded`. */
  readonly maxSessions: number
  /**
   * What one account may take in the store, about. Over it, actions are refused with `quota-exceeded`.
   * @default Infinity
   */
  readonly maxAccountBytes?: number
  /**
   * What households are and do.
   * @default none: their actions are refused
   */
  readonly household?: HouseholdRules
  /** A book was put, removed or restored. @see AccountHost.bookChanged */
  readonly onBookChange?: AccountHost['bookChanged']
  /** The store failed: ends the process. */
  readonly onFailure: (error: unknown) => void
}

/** The hub itself: its accounts in memory, and the sessions that follow them. */
export class Hub {
  readonly #parts: HubParts
  readonly #accounts = new Map<string, Promise<Account | undefined>>()
  readonly #sessions = new Set<LiveSession>()
  readonly #accountHost: AccountHost
  readonly #sessionHost: SessionHost
  readonly #compactor: Compactor
  readonly #background: Background
  #cancelSweep: () => void
  #isClosing = false
  /** Set while there is no room to write: changes are refused, and everything can be read. */
  isReadOnly = false
  readonly tally = new Tally()

  constructor(parts: HubParts) {
    const { store, clock, logger } = parts
    this.#parts = parts
    this.#background = new Background(clock)
    const committer = new Committer(store, clock, parts.onFailure)
    this.#accountHost = {
      store,
      clock,
      background: this.#background,
      turnBudget: new TurnBudget(clock),
      mustTakeWrites: () => this.mustTakeWrites(),
      maxAccountBytes: parts.maxAccountBytes ?? Infinity,
      household: parts.household ?? NO_HOUSEHOLDS,
      tally: this.tally,
      wake: committer.wake,
      broken: (account, error) => this.#forget(account, error),
      bookChanged: parts.onBookChange ?? (() => undefined)
    }
    this.#compactor = new Compactor({ store, clock, logger, background: this.#background })
    this.#sessionHost = {
      store,
      clock,
      logger,
      readings: new DocumentReadings(),
      largeDocuments: new LargeDocuments(),
      authenticate: token => this.authenticate(token),
      mustTakeWrites: () => this.mustTakeWrites(),
      closed: session => this.#sessions.delete(session)
    }
    this.#cancelSweep = clock.setTimer(SWEEP_INTERVAL_MS, () => this.#sweep())
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** Sessions that read on from their log, behind its head. It looks at each. */
  get behindCount(): number {
    let count = 0
    for (const { isBehind = false } of this.#sessions) if (isBehind) count++
    return count
  }

  /** @throws HubError `storage-full` while the hub is read-only */
  mustTakeWrites(): void {
    if (this.isReadOnly) throw new HubError('storage-full')
  }

  /** Finds whom a token stands for. @throws HubError `unauthenticated`, `device-revoked`, `device-disabled` */
  authenticate(token: string): Promise<Bearer> {
    return this.#parts.authenticate(token, account => this.account(account))
  }

  /** Takes a new connection, of someone not yet known who speaks Lectern's own protocol. */
  accept(connection: HubConnection): void {
    this.admit(host => new Session(connection, host))
  }

  /** Takes someone not yet known who speaks whatever the session understands. */
  admit(open: (host: SessionHost) => LiveSession): void {
    const session = open(this.#sessionHost)
    if (this.#isClosing) return session.end(new HubError('shutting-down', '', this.#comeBack()))
    if (this.#sessions.size >= this.#parts.maxSessions) return session.end(new HubError('overloaded', '', this.#comeBack()))
    this.#sessions.add(session)
  }

  /** An account, brought into memory; undefined when there is none. */
  account(id: string): Promise<Account | undefined> {
    const account = this.#accounts.get(id) ?? this.#keep(id, this.#open(id))
    void account.then(
      opened => opened && (opened.usedAtMs = this.#parts.clock.nowMs()),
      () => undefined
    )
    return account
  }

  /** The account of an id that the caller vouches for. One that never had a change gets an empty log, which is durable with its first. */
  async ensureAccount(id: string): Promise<Account> {
    const known = await this.account(id)
    if (known !== undefined) return known
    // Someone else may have been as quick; one account must not be in memory twice.
    if (this.#accounts.has(id)) return this.ensureAccount(id)
    const { randomBytes } = this.#parts
    const log = { epoch: newId(randomBytes), head: 0, floor: 1 }
    const opening = Account.open(id, log, this.#accountHost)
    void this.#keep(id, opening)
    return opening
  }

  /**
   * Lets an account's log go as far as its clients have it, now. While a hub runs it does so by itself.
   * @throws HubError `not-found`
   * @throws StoreDamage when what was to replace the log is not sound: then nothing was trimmed
   */
  async compact(id: string): Promise<Compaction> {
    const account = await this.account(id)
    if (account === undefined) throw new HubError('not-found', `there is no account ${id}`)
    return this.#compactor.compact(account)
  }

  /** Ends every session, waits for what was submitted, and stores all records, so that the next start has nothing to fold. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#cancelSweep()
    for (const session of this.#sessions) session.end(new HubError('shutting-down', '', this.#comeBack()))
    const stopped = this.#compactor.stop()
    this.#background.stop()
    await stopped
    const accounts = await Promise.all(Array.from(this.#accounts.values(), opening => opening.catch(() => undefined)))
    // All in one group: one flush, however many there are.
    const opened = accounts.filter(account => account !== undefined)
    for (const account of opened) {
      account.readers.putRecord()
      account.storeRecords()
    }
    await Promise.all(opened.map(account => account.settled()))
  }

  async #open(id: string): Promise<Account | undefined> {
    const log = await this.#parts.store.head(id)
    return log && Account.open(id, log, this.#accountHost)
  }

  /** Remembers an account that is being opened, unless there is none or it cannot be. */
  #keep(id: string, opening: Promise<Account | undefined>): Promise<Account | undefined> {
    const leave = (): void => {
      if (this.#accounts.get(id) === opening) this.#accounts.delete(id)
    }
    this.#accounts.set(id, opening)
    opening.then(opened => opened ?? leave(), leave)
    return opening
  }

  /** Clients of a hub that goes away come back spread out. */
  #comeBack(): { retryAfterMs: number } {
    const [high, low] = this.#parts.randomBytes(2)
    const spreadMs = Math.min(30_000, 1_000 + this.#sessions.size * 2)
    return { retryAfterMs: Math.floor((((high! << 8) | low!) / 65_536) * spreadMs) }
  }

  /** An account in memory that may differ from its log is left, and loaded again when next needed. */
  #forget(account: Account, error: unknown): void {
    this.#parts.logger.error({ err: error, account: account.id }, 'an account is loaded again')
    for (const follower of account.followers) follower.end(new HubError('internal', '', this.#comeBack()))
    void this.#keep(
      account.id,
      account.settled().then(() => this.#open(account.id))
    )
  }

  #sweep(): void {
    this.#cancelSweep = this.#parts.clock.setTimer(SWEEP_INTERVAL_MS, () => this.#sweep())
    const nowMs = this.#parts.clock.nowMs()
    for (const [id, opening] of this.#accounts) {
      opening.then(
        account => {
          if (account === undefined || !this.#tidy(account, nowMs) || this.#accounts.get(id) !== opening) return
          this.#accounts.delete(id)
          account.leave()
        },
        () => undefined
      )
    }
  }

  /** Lets go of what an account does not use. True when the account itself can go. */
  #tidy(account: Account, nowMs: number): boolean {
    // It writes before it lets anything go, and a store's file does not shrink.
    if (!this.isReadOnly) this.#compactor.consider(account)
    if (!account.isSettled || account.documents.isSnapshotting || account.isCompacting) return false
    const idleMs = account.documents.size > MANY_DOCUMENTS ? DOCUMENT_IDLE_MS / 10 : DOCUMENT_IDLE_MS
    const accountIdleMs = this.#accounts.size > MANY_ACCOUNTS ? ACCOUNT_IDLE_MS / 10 : ACCOUNT_IDLE_MS
    account.documents.unloadIdle(nowMs - idleMs)
    const isIdle = account.followers.size === 0 && nowMs - account.usedAtMs > accountIdleMs
    if (isIdle) account.readers.putRecord()
    const hasToStore = isIdle && account.views.changedCount > 0
    if (hasToStore) account.storeRecords()
    // It leaves once that is stored: opened again before, it would find some records older than others.
    return isIdle && !hasToStore && !account.documents.isSnapshotting
  }
}
