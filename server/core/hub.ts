import type { Connection, ErrorCode } from '../../protocol/index.ts'
import { Account } from './account.ts'
import { Committer } from './committer.ts'
import { newId } from './ids.ts'
import type { Clock, Logger, RandomBytes } from './ports.ts'
import { Session, type SessionHost } from './session.ts'
import type { Store } from './store.ts'

const SWEEP_INTERVAL_MS = 15_000
const DOCUMENT_IDLE_MS = 60_000
/** With more than this many in memory, an account's documents leave sooner. */
const MANY_DOCUMENTS = 100
const ACCOUNT_IDLE_MS = 300_000
/** Documents that sessions may hold at once while they are read in parts. */
const MAX_READINGS = 16

/** Who a token stands for. @throws HubError `unauthenticated`, `device-revoked` */
export type Authenticate = (
  token: string,
  open: (account: string) => Promise<Account | undefined>
) => Promise<{ account: Account; device: string; readOnly: boolean }>

export interface HubParts {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly randomBytes: RandomBytes
  readonly authenticate: Authenticate
  /** Live connections, over all accounts. More are sent away with `overloaded`. */
  readonly maxSessions: number
  /** The store failed: ends the process. */
  readonly onFailure: (error: unknown) => void
}

/** The hub itself: its accounts in memory, and the sessions that follow them. */
export class Hub {
  readonly #parts: HubParts
  readonly #committer: Committer
  readonly #accounts = new Map<string, Promise<Account | undefined>>()
  readonly #sessions = new Set<Session>()
  /** Those that hold a document, by age. */
  readonly #readings = new Set<Session>()
  readonly #host: SessionHost
  #cancelSweep: () => void
  #isClosing = false

  constructor(parts: HubParts) {
    const { store, clock, logger } = parts
    this.#parts = parts
    this.#committer = new Committer(store, clock, parts.onFailure)
    this.#host = {
      store,
      clock,
      logger,
      authenticate: token => parts.authenticate(token, account => this.account(account)),
      holdsReading: session => this.#holdReading(session),
      endsReading: session => this.#readings.delete(session),
      closed: session => this.#sessions.delete(session),
      failed: (account, error) => this.#forget(account, error)
    }
    this.#cancelSweep = clock.setTimer(SWEEP_INTERVAL_MS, () => this.#sweep())
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** Takes a new connection of someone not yet known. */
  accept(connection: Connection): void {
    const session = new Session(connection, this.#host)
    if (this.#isClosing) return session.end('shutting-down', this.#comeBack())
    if (this.#sessions.size >= this.#parts.maxSessions) return session.end('overloaded', this.#comeBack())
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
    const { store, clock, randomBytes } = this.#parts
    const log = { epoch: newId(randomBytes), head: 0, floor: 1 }
    const opening = Account.open(id, log, store, clock, this.#committer.wake)
    void this.#keep(id, opening)
    return opening
  }

  /** Ends every session, waits for what was submitted, and stores all records, so that the next start has nothing to fold. */
  async close(code: ErrorCode = 'shutting-down'): Promise<void> {
    this.#isClosing = true
    this.#cancelSweep()
    for (const session of this.#sessions) session.end(code, this.#comeBack())
    for (const opening of this.#accounts.values()) {
      const account = await opening.catch(() => undefined)
      if (account === undefined) continue
      account.storeRecords()
      await account.settled()
    }
  }

  async #open(id: string): Promise<Account | undefined> {
    const { store, clock } = this.#parts
    const log = await store.head(id)
    return log && Account.open(id, log, store, clock, this.#committer.wake)
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

  #holdReading(session: Session): void {
    this.#readings.delete(session)
    this.#readings.add(session)
    const [oldest] = this.#readings
    if (this.#readings.size > MAX_READINGS) oldest!.dropReading()
  }

  /** An account in memory that may differ from its log is left, and loaded again when next needed. */
  #forget(account: Account, error: unknown): void {
    this.#parts.logger.error({ err: error, account: account.id }, 'an account is loaded again')
    account.distrust()
    for (const follower of account.followers) follower.end('internal')
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
        account => account && this.#tidy(id, account, nowMs),
        () => undefined
      )
    }
  }

  #tidy(id: string, account: Account, nowMs: number): void {
    if (!account.isSettled) return
    const idleMs = account.documents.size > MANY_DOCUMENTS ? DOCUMENT_IDLE_MS / 10 : DOCUMENT_IDLE_MS
    if (account.documents.unloadIdle(nowMs - idleMs)) account.storeRecords()
    else if (account.followers.size === 0 && nowMs - account.usedAtMs > ACCOUNT_IDLE_MS) {
      if (account.views.changedCount > 0) account.storeRecords()
      else this.#accounts.delete(id)
    }
  }
}
