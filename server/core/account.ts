import {
  encodeName,
  encodeValue,
  HubError,
  type ChangeBody,
  type ChangeKind,
  type Plain,
  type WireAction
} from '../../protocol/index.ts'
import { asSent, checkedBody, handleAction, mustBePermitted } from './actions.ts'
import { confirm, judge, newClient, refusalAnswer, keepAnswer } from './answers.ts'
import { changesOf, hiddenBytes, type LoggedChange, type NewChange, type Note } from './change.ts'
import { digest } from './digest.ts'
import type { AccountHost, Follower } from './account-host.ts'
import { CHANGE_BYTES } from './account-size.ts'
import { Documents } from './documents/documents.ts'
import { Readers } from './readers.ts'
import { fold, foldLogged } from './fold.ts'
import { encodeKind, LogWriter } from './log-writer.ts'
import { Origin } from './origin.ts'
import { mustWait } from './document-work.ts'
import type { PendingCommit, Submitter } from './pending-commit.ts'
import { mustHaveRoomForDevice } from './policy.ts'
import { Presences } from './presence.ts'
import type { Answer, ClientRecord } from './records.ts'
import type { Append, LogHead, RecordWrite } from './store.ts'
import { Views } from './views.ts'

/** Records are stored after changes of so many bytes, some thousand as a rule, or after this many records. In memory they may take two hundred times their bytes. */
const STORE_AFTER_BYTES = 262_144
const STORE_AFTER_RECORDS = 256
const READ_BYTES = 1_048_576

/**
 * One account in memory: its log's head, its records and documents, and those who follow it.
 *
 * What is submitted takes effect here at once and is gathered. Nothing of it is shown to anyone before the group commit that it goes into has
 * resolved; should that fail, the process ends and the memory with it.
 */
export class Account {
  readonly id: string
  readonly epoch: string
  readonly views: Views
  readonly documents: Documents
  /** Told of each change. A follower comes by `follow`, and leaves by itself. */
  readonly followers = new Set<Follower>()
  readonly presences: Presences
  readonly readers: Readers
  /** The oldest cursor that the log holds. Set by whoever trims it. */
  floor: number
  /** True while its log is compacted: it stays in memory. */
  isCompacting = false
  /** The newest change that is on disk: the one up to which followers may read. */
  durableHead: number
  usedAtMs: number
  /** About the bytes that it takes in the store; counted anew by whoever trims it. */
  heldBytes: number
  readonly #host: AccountHost
  readonly #log: LogWriter
  /** Bytes of the changes since records were last stored. */
  #unstoredBytes = 0
  #isStoringDue = false
  /** It was given up, or has left memory. */
  #isGone = false
  #commitsUnderWay = 0

  private constructor(id: string, log: LogHead, host: AccountHost) {
    this.id = id
    this.epoch = log.epoch
    this.#host = host
    this.floor = log.floor
    this.presences = new Presences(host.clock)
    this.views = new Views(host.store, id)
    this.readers = new Readers(this.views)
    this.documents = new Documents(id, log.epoch, this.views, {
      store: host.store,
      background: host.background,
      turnBudget: host.turnBudget,
      clock: host.clock,
      durableHead: () => this.durableHead,
      settled: () => this.settled(),
      changed: () => this.storeRecords()
    })
    const { timeUs = 0, heldBytes = 0 } = this.views.get('fold') ?? {}
    this.#log = new LogWriter(log.head, timeUs)
    this.heldBytes = heldBytes
    this.durableHead = log.head
    this.usedAtMs = host.clock.nowMs()
  }

  /** Brings an account into memory: its stored records, and what its log holds beyond them. */
  static async open(id: string, log: LogHead, host: AccountHost): Promise<Account> {
    const account = new Account(id, log, host)
    for (let cursor = account.views.get('fold')?.foldedTo ?? 0; cursor < log.head;) {
      const runs = await host.store.read(id, cursor, READ_BYTES)
      for (const stored of runs) for (const change of changesOf(stored)) cursor = account.#foldAgain(change, cursor)
      if (runs.length === 0) throw new Error(`the log of ${id} ends at ${cursor}, before its head`)
    }
    account.sealTime()
    return account
  }

  /** The newest change that took effect here. */
  get head(): number {
    return this.#log.head
  }

  /** When the newest change was made that took effect here, in microseconds. */
  get timeUs(): number {
    return this.#log.timeUs
  }

  /**
   * A time from which a reader can go on later, skipping nothing and getting nothing twice. Show it only once what took effect is durable.
   * @returns in whole milliseconds: no change that took effect is later, and every later one is, whatever the clock does, in this process or the next
   */
  sealTime(): number {
    return this.#log.seal()
  }

  /** It takes in the store all that it may. */
  get isFull(): boolean {
    return this.heldBytes >= this.#host.maxAccountBytes
  }

  /** True when nothing is gathered, on its way to the store, or kept from it. */
  get isSettled(): boolean {
    return this.#commitsUnderWay === 0 && !this.#log.hasGathered
  }

  /** The number that a client has reached; 0 for one that the hub never saw. */
  lastNumber(device: string, client: string): number {
    return this.views.get('clients', device, client)?.lastNumber ?? 0
  }

  /** The client has every answer up to this number. */
  confirm({ device, client }: Origin, confirmed: number): void {
    if (this.views.get('clients', device, client) !== undefined)
      confirm(this.views.edit('clients', [device, client], newClient), confirmed)
  }

  /**
   * Lets numbered actions of a client take effect, each at most once and each by itself. Their documents MUST be in memory.
   * @param confirmed the client has every answer up to this number
   * @returns how many did: fewer when documents have had their share of this turn of the event loop; the rest are to be submitted in a later one
   * @throws HubError `internal`
   */
  submit(origin: Origin, confirmed: number, actions: readonly WireAction[], submitter: Submitter): number {
    this.#host.mustTakeWrites()
    if (mustWait(actions[0]!, this.documents)) return 0
    return this.#guard(() => {
      const record = this.views.edit('clients', [origin.device, origin.client], newClient)
      confirm(record, confirmed)
      const answers = this.#log.pending.answersFor(submitter)
      this.#host.wake(this)
      for (let index = 0; index < actions.length; index++) {
        if (mustWait(actions[index]!, this.documents)) return index
        const answer = this.#take(origin, record, actions[index]!)
        if (answer.length === 3) answers.accept(answer[0], answer[2])
        else answers.refuse([answer[0], answer[3], answer[4], answer[5]])
      }
      return actions.length
    })
  }

  /**
   * Lets one action take effect that has no number, such as an operator's. Its document MUST be in memory.
   * @param atMs when it was done, of what was done elsewhere; a later time than the hub's own is replaced by it
   * @returns its cursor, once it is durable
   * @throws HubError the refusal
   */
  async perform(origin: Origin, kind: string, key: string, body: Plain, atMs = this.#host.clock.nowMs()): Promise<number> {
    this.#host.mustTakeWrites()
    const held = asSent(kind, key, body)
    const cursor = this.#guard(() => this.#change(origin, [0, atMs, kind, key, held], encodeValue(held), 0))
    await this.settled()
    return cursor
  }

  /**
   * Appends a change that only the hub makes. Resolves with its cursor once it is durable.
   * @param options `by`: the device whose doing it is; left out, the one that it is about. `secretHash`: its new token, hashed
   */
  async write<K extends 'device.put' | 'device.revoke' | 'content.put'>(
    kind: K,
    key: string,
    body: ChangeBody<K>,
    { secretHash, by = key }: { readonly secretHash?: Uint8Array; readonly by?: string | undefined } = {}
  ): Promise<number> {
    // A device is cut off whatever the disk says.
    if (kind !== 'device.revoke' && !('disabled' in body && body.disabled)) this.#host.mustTakeWrites()
    if (kind === 'device.put') mustHaveRoomForDevice(this.views, key)
    const note = secretHash === undefined ? 0 : { digest: 0, secretHash }
    const nowMs = this.#host.clock.nowMs()
    const origin = new Origin(by, '')
    const cursor = this.#guard(() => {
      const at = { cursor: this.#log.head + 1, timeUs: this.#log.nextTimeUs(nowMs), device: by, client: '', number: 0 }
      return this.#append(origin, { ...at, atMs: Math.floor(nowMs), kind, key, body, encoded: encodeValue(body) }, note)
    })
    this.#isStoringDue = true
    this.recheck(key)
    await this.settled()
    return cursor
  }

  /**
   * Tells somebody of every change from now on.
   * @throws HubError `internal` when this account is not in memory any more, or anew: whoever waited for it meanwhile would hear of nothing
   */
  follow(follower: Follower): void {
    if (this.#isGone) throw new HubError('internal')
    this.followers.add(follower)
  }

  /** Ends those connections of a device whose token lets nobody in any more. */
  recheck(device: string): void {
    for (const follower of this.followers) {
      const reason = follower.device === device ? follower.refusal() : undefined
      if (reason !== undefined) follower.end(reason)
    }
  }

  /** Resolves once everything submitted so far is durable. */
  settled(): Promise<void> {
    return new Promise(resolve => this.whenDurable(resolve))
  }

  /** Runs `task` once everything submitted so far is durable. */
  whenDurable(task: () => void): void {
    this.#log.pending.whenDurable(task)
    this.#host.wake(this)
  }

  /** Asks for the records to be stored with the next commit. */
  storeRecords(): void {
    this.#isStoringDue = true
    this.#host.wake(this)
  }

  /** It leaves memory: whoever still has it cannot write beside the one that is opened next. MUST be settled. */
  leave(): void {
    this.#isGone = true
  }

  /** Hands over what was gathered, for one commit. */
  takePending(): { append: Append | undefined; writes: RecordWrite[]; pending: PendingCommit } {
    if (!this.#isGone && this.documents.beforeCommit()) this.#isStoringDue = true
    const pending = this.#log.takePending()
    this.#commitsUnderWay += 1
    const { runs } = pending
    const append = runs.length === 0 ? undefined : { account: this.id, epoch: this.epoch, after: runs[0]!.first - 1, runs }
    return { append, writes: this.#takeWrites(), pending }
  }

  /** What was handed over is durable. */
  committed({ runs }: PendingCommit): void {
    this.#commitsUnderWay -= 1
    this.views.stored()
    const last = runs.at(-1)
    if (last === undefined) return
    this.durableHead = last.first + last.count - 1
    const bytes = runs.reduce((sum, { run }) => sum + run.length, 0)
    this.readers.logGrew(this.durableHead, bytes)
  }

  /** Tells everyone concerned about what became durable. */
  announce({ runs, answers, tasks }: PendingCommit): void {
    for (const { frame, first, count } of runs)
      for (const follower of this.followers) follower.deliver(frame, first, first + count - 1)
    for (const given of answers) given.submitter.answered(given)
    for (const task of tasks) task()
  }

  /** Lets work take effect. If it fails half-way, only the log of this account is stored from then on, and nothing more taken. */
  #guard<T>(work: () => T): T {
    if (this.#isGone) throw new HubError('internal')
    this.usedAtMs = this.#host.clock.nowMs()
    try {
      return work()
    } catch (error) {
      if (error instanceof HubError) throw this.#host.tally.refuse(error)
      this.#isGone = true
      this.#host.broken(this, error)
      throw new HubError('internal')
    }
  }

  #take(origin: Origin, record: ClientRecord, action: WireAction): Answer {
    const [number, , kind, key, body] = action
    const bytes = encodeValue(body)
    const name = encodeName(key)
    const content = digest([encodeKind(kind), name, bytes])
    const verdict = judge(record, number, content)
    if (verdict === 'conflict') return refusalAnswer(number, content, this.#host.tally.refuse(new HubError('action-conflict')))
    if (verdict === 'already-done') return refusalAnswer(number, content, this.#host.tally.refuse(new HubError('already-done')))
    if (verdict !== 'fresh') return verdict
    let answer: Answer
    try {
      answer = [number, content, this.#change(origin, action, bytes, content)]
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      answer = refusalAnswer(number, content, this.#host.tally.refuse(error))
      this.#isStoringDue = true
    }
    keepAnswer(record, answer)
    return answer
  }

  /**
   * Checks one action and appends its change.
   * @param bytes its body as msgpack
   * @param content the digest of all that it says
   */
  #change(origin: Origin, [number, atMs, kind, key, body]: WireAction, bytes: Uint8Array, content: number): number {
    mustBePermitted(origin.actor, kind)
    if (this.isFull) throw new HubError('quota-exceeded')
    const held = checkedBody(kind, key, body, bytes)
    const nowMs = this.#host.clock.nowMs()
    const isPosition = kind === 'position.set' || kind === 'position.restore'
    const claimedMs = isPosition ? this.#log.positionMs(atMs, nowMs) : Math.min(atMs, Math.floor(nowMs))
    const { device, client } = origin
    const at = { cursor: this.#log.head + 1, timeUs: this.#log.nextTimeUs(nowMs), device }
    const context = {
      views: this.views,
      documents: this.documents,
      at,
      epoch: this.epoch,
      atMs: claimedMs,
      household: this.#host.household
    }
    const outcome = handleAction(context, kind, key, held)
    const change = {
      cursor: at.cursor,
      timeUs: at.timeUs,
      device,
      client,
      number,
      atMs: claimedMs,
      kind: outcome.kind,
      key: outcome.key ?? key,
      body: outcome.body as ChangeBody<ChangeKind>,
      encoded: outcome.body === body ? bytes : encodeValue(outcome.body)
    }
    this.#host.tally.accepted += 1
    return this.#append(origin, change, outcome.note === undefined ? content : { digest: content, ...outcome.note })
  }

  #append(origin: Origin, change: NewChange, note: Note): number {
    fold(this.views, change, note, this.#host.household)
    this.#log.append(origin, change, note)
    if (change.kind.startsWith('book.')) this.#host.bookChanged(this, change.key, change.body as ChangeBody<'book.put'>)
    this.#count(change.encoded.length + hiddenBytes(note) + CHANGE_BYTES)
    return change.cursor
  }

  #takeWrites(): RecordWrite[] {
    if (this.#isGone || !(this.#isStoringDue || this.views.changedCount >= STORE_AFTER_RECORDS)) return []
    this.#isStoringDue = false
    this.#unstoredBytes = 0
    const { head, timeUs } = this.#log
    this.views.put('fold', [], { foldedTo: head, timeUs, heldBytes: this.heldBytes })
    return this.views.takeWrites()
  }

  #foldAgain({ change, note }: LoggedChange, after: number): number {
    if (change.cursor <= after) return after
    foldLogged(this.views, change, note, this.#host.household)
    this.#log.timeUs = change.timeUs
    this.#count(encodeValue(change.body).length + hiddenBytes(note) + CHANGE_BYTES)
    return change.cursor
  }

  #count(bytes: number): void {
    this.heldBytes += bytes
    this.#unstoredBytes += bytes
    if (this.#unstoredBytes >= STORE_AFTER_BYTES) this.#isStoringDue = true
  }
}
