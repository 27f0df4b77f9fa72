import { LIMITS, decodeValue, encodeValue, maxValuesIn, type ActionKind, type Plain, type WireAction } from '../protocol/index.ts'
import { checkAction, copied, sizeOf } from './action-check.ts'
import { randomId, type Clock } from './clock.ts'
import { familyOf } from './mirror.ts'
import { newAnswer, type Pending } from './pending.ts'
import type { ClientStorage, StorageChange } from './storage.ts'

const CLIENT_KEY = 'outbox\nclient'
const ACTION_PREFIX = 'outbox\naction\n'
const actionKey = (number: number): string => ACTION_PREFIX + String(number).padStart(16, '0')
/** What a frame holds at most, save for one action that is longer: what a slow uplink has delivered before it breaks off is answered, and not sent again. */
const MAX_FRAME_BYTES = 65_536
/** Room for what a frame has beside its actions. */
const HEAD_BYTES = 64

/** What the outbox tells its owner. */
export interface OutboxEvents {
  /** Actions became durable here, and may be sent. */
  onSaved(): void
  /** Storage did not take an action; its effect is to be undone. */
  onLost(pending: Pending, error: Error): void
}

/** Whether a storage that no client has open holds actions whose effect it has not seen: whoever opens a client on it sends them. */
export const hasUnsent = async (storage: ClientStorage): Promise<boolean> => (await storage.load(ACTION_PREFIX)).length > 0

/** Numbers actions and keeps each until it is answered and its effect has come back in the log. Survives the process. */
export class Outbox {
  readonly client: string
  readonly #storage: ClientStorage
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  readonly #byKey = new Map<string, Set<Pending>>()
  #lastNumber: number
  /** Up to this number the hub may have other actions than these: this storage is, or once was, an old copy. */
  #oldUpTo: number
  #unsaved: Pending[] = []
  /** Numbers whose records go in the same write that stores what took their place. */
  #replaced: number[] = []
  /** Numbers whose records go with the mirror's next write, which holds their effect. */
  readonly #settled: number[] = []
  /** Numbers of what is forgotten, for as long as storage remembers. */
  readonly #remembered = new Set<number>()
  #saving: Promise<void> | undefined
  #events: OutboxEvents = { onSaved() {}, onLost() {} }

  private constructor(storage: ClientStorage, clock: Clock, client: string, lastNumber: number, oldUpTo: number) {
    this.#storage = storage
    this.#clock = clock
    this.client = client
    this.#lastNumber = lastNumber
    this.#oldUpTo = oldUpTo
  }

  /** Reads what was left; a new outbox gets a new random client id. */
  static async load(storage: ClientStorage, clock: Clock): Promise<Outbox> {
    const [known] = await storage.load(CLIENT_KEY)
    const [client, lastNumber, oldUpTo] =
      known === undefined ? [randomId(), 0, 0] : (decodeValue(known[1]) as [client: string, lastNumber: number, oldUpTo: number])
    const outbox = new Outbox(storage, clock, client, lastNumber, oldUpTo)
    if (known === undefined) await storage.write([outbox.#clientRecord()])
    for (const [key, bytes] of await storage.load(ACTION_PREFIX)) {
      const [atMs, kind, about, body] = decodeValue(bytes) as [number, ActionKind, string, Plain]
      const size = sizeOf(kind, about, body)
      outbox.#insert(
        { number: Number(key.slice(ACTION_PREFIX.length)), atMs, kind, key: about, body, ...size, wasSent: true },
        'saved'
      )
    }
    return outbox
  }

  listen(events: OutboxEvents): void {
    this.#events = events
  }

  /** The highest number up to which every answer is stored: a crash does not bring back the action. */
  get confirmed(): number {
    let first = this.#pending.keys().next().value ?? this.#lastNumber + 1
    for (const number of this.#remembered) first = Math.min(first, number)
    return first - 1
  }

  /** Every action without an answer, by rising number. */
  get unanswered(): Pending[] {
    return [...this.#pending.values()].filter(({ stage }) => stage !== 'done')
  }

  /** Every action whose effect is not in the mirror yet, by rising number. `family` is the part of the kind before the dot. */
  about(family: string, key: string): Iterable<Pending> {
    return this.#byKey.get(`${family}\n${key}`) ?? []
  }

  /** The keys that actions of a family are about. */
  keysOf(family: string): string[] {
    const begin = `${family}\n`
    return [...this.#byKey.keys()].filter(name => name.startsWith(begin)).map(name => name.slice(begin.length))
  }

  /**
   * Takes an action and numbers it. It is stored with all others of this turn, and may be sent after that.
   *
   * @param replaced actions whose place it takes: they vanish from storage in the same write, and its answer is theirs
   * @throws HubError `unknown-action`, `bad-action`, `too-large`
   */
  add(kind: ActionKind, key: string, body: unknown, replaced: readonly Pending[] = []): Pending {
    return this.addAll(kind, key, [body], replaced)[0]!
  }

  /** Takes several of one kind, or none if one cannot be taken. @see add */
  addAll(kind: ActionKind, key: string, bodies: readonly unknown[], replaced: readonly Pending[] = []): Pending[] {
    const plains = bodies.map(copied)
    for (const body of plains) checkAction(kind, key, body)
    const round = replaced.reduce((most, old) => Math.max(most, old.round + 1), 0)
    const atMs = Math.max(0, Math.floor(this.#clock.nowMs()))
    const added = plains.map(body => {
      const number = ++this.#lastNumber
      return this.#insert({ number, atMs, kind, key, body, ...sizeOf(kind, key, body), round }, 'saving')
    })
    for (const old of replaced) {
      this.#remove(old, this.#replaced)
      const answers = Promise.all(added.map(({ answer }) => answer.promise))
      answers.then(acks => old.answer.resolve(acks.at(-1)!), old.answer.reject)
    }
    for (const pending of added) this.#unsaved.push(pending)
    void this.save()
    return added
  }

  /** Resolves when every action so far is durable here. */
  save(): Promise<void> {
    this.#saving ??= this.#write()
    return this.#saving
  }

  /** The next actions to send, in order, as far as the limits of one frame allow; they count as sent. */
  take(limits: { maxFrameBytes: number; maxActionsPerPush: number; maxUnansweredActions: number }): WireAction[] {
    const actions: WireAction[] = []
    const lastAllowed = this.#answered + Math.min(limits.maxUnansweredActions, LIMITS.maxUnansweredActions)
    const maxBytes = Math.min(limits.maxFrameBytes, MAX_FRAME_BYTES)
    let bytes = HEAD_BYTES
    let values = 8
    for (const pending of this.#pending.values()) {
      if (pending.stage === 'saving' || pending.number > lastAllowed) break
      if (pending.stage !== 'saved') continue
      bytes += pending.bytes
      values += pending.values
      if (
        actions.length > 0 &&
        (bytes > maxBytes || values > maxValuesIn((bytes - HEAD_BYTES) / 2) || actions.length >= limits.maxActionsPerPush)
      )
        break
      pending.stage = 'sent'
      pending.wasSent = true
      actions.push([pending.number, pending.atMs, pending.kind, pending.key, pending.body])
    }
    return actions
  }

  /** The connection is gone: what has no answer is to be sent again. */
  disconnected(): void {
    for (const pending of this.#pending.values())
      if (pending.stage === 'sent' || pending.stage === 'held') pending.stage = 'saved'
  }

  /**
   * Where the hub has seen numbers that were never sent from here, this storage is an old copy: what was never sent gets new numbers, in its order.
   * A number is stored before it is sent, so that this never comes to an outbox that is none.
   */
  continueFrom(lastNumber: number): void {
    const fresh = [...this.#pending.values()].filter(({ wasSent }) => !wasSent)
    const isOldCopy = lastNumber > this.#lastNumber || (fresh.length > 0 && fresh[0]!.number <= lastNumber)
    if (!isOldCopy) return
    this.#oldUpTo = lastNumber
    this.#lastNumber = Math.max(this.#lastNumber, lastNumber)
    for (const pending of fresh) this.#renumber(pending)
  }

  /** Whether the action may have been given its number by an old copy of the storage, so that the hub knows another by it. */
  isOld({ number }: Pending): boolean {
    return number <= this.#oldUpTo
  }

  /** Whether there is such an action. */
  get hasOld(): boolean {
    const [first] = this.#pending.values()
    return first !== undefined && this.isOld(first)
  }

  /** @returns the action, unless it was answered before */
  accept(number: number, cursor: number, doneAt = cursor): Pending | undefined {
    const pending = this.#pending.get(number)
    if (pending === undefined || pending.stage === 'done') return undefined
    pending.stage = 'done'
    pending.doneAt = doneAt
    pending.answer.resolve({ cursor })
    return pending
  }

  get(number: number): Pending | undefined {
    return this.#pending.get(number)
  }

  /** Forgets an action that will never take effect. */
  refuse(pending: Pending, error: Error): void {
    this.#remove(pending, this.#settled)
    pending.answer.reject(error)
  }

  /** Forgets what is done and whose effect the mirror now holds. */
  settle(cursor: number): void {
    for (const pending of this.#pending.values())
      if (pending.stage === 'done' && pending.doneAt <= cursor) this.#remove(pending, this.#settled)
  }

  /** Another log begins, which may lack what the old one held: all whose effect has not been seen is sent again. */
  restart(): void {
    for (const pending of this.#pending.values()) if (pending.stage === 'done') pending.stage = 'saved'
  }

  /** Removals of what is forgotten, for the write that stores the mirror. They come again until they are `erased`. */
  get erasures(): StorageChange[] {
    return removals(this.#settled)
  }

  /** The first so many of the `erasures` are durable. */
  erased(count: number): void {
    for (const number of this.#settled.splice(0, count)) this.#remembered.delete(number)
  }

  /** The highest number up to which every action has its answer. */
  get #answered(): number {
    for (const { number, stage } of this.#pending.values()) if (stage !== 'done') return number - 1
    return this.#lastNumber
  }

  #insert(
    given: Omit<Pending, 'stage' | 'doneAt' | 'wasSent' | 'round' | 'answer'> & Partial<Pending>,
    stage: Pending['stage']
  ): Pending {
    const pending: Pending = { doneAt: 0, wasSent: false, round: 0, answer: newAnswer(), ...given, stage }
    this.#pending.set(pending.number, pending)
    const name = nameOf(pending)
    this.#byKey.set(name, (this.#byKey.get(name) ?? new Set()).add(pending))
    return pending
  }

  #remove(pending: Pending, erased: number[]): void {
    if (!this.#pending.delete(pending.number)) return
    const name = nameOf(pending)
    const others = this.#byKey.get(name)
    others?.delete(pending)
    if (others?.size === 0) this.#byKey.delete(name)
    erased.push(pending.number)
    this.#remembered.add(pending.number)
  }

  #renumber(pending: Pending): void {
    this.#pending.delete(pending.number)
    this.#replaced.push(pending.number)
    pending.number = ++this.#lastNumber
    pending.stage = 'saving'
    this.#pending.set(pending.number, pending)
    if (!this.#unsaved.includes(pending)) this.#unsaved.push(pending)
    void this.save()
  }

  /** One write for all that a turn has brought, and then for all that came meanwhile. */
  async #write(): Promise<void> {
    await Promise.resolve()
    while (this.#unsaved.length > 0) {
      const batch = this.#unsaved.splice(0).filter(pending => this.#pending.get(pending.number) === pending)
      const numbers = batch.map(({ number }) => number)
      const records = batch.map(({ number, atMs, kind, key, body }): StorageChange => [
        actionKey(number),
        encodeValue([atMs, kind, key, body])
      ])
      const replaced = this.#replaced.splice(0)
      try {
        await this.#storage.write([...removals(replaced), this.#clientRecord(), ...records])
      } catch (error) {
        this.#replaced = [...this.#replaced, ...replaced]
        for (const pending of batch) this.refuse(pending, error as Error)
        for (const pending of batch) this.#events.onLost(pending, error as Error)
        continue
      }
      for (const number of replaced) this.#remembered.delete(number)
      for (const [index, pending] of batch.entries())
        if (pending.stage === 'saving' && pending.number === numbers[index]) pending.stage = 'saved'
      this.#events.onSaved()
    }
    // Here and not when the promise resolves: what comes in between must find that nobody is writing.
    this.#saving = undefined
  }

  #clientRecord(): StorageChange {
    return [CLIENT_KEY, encodeValue([this.client, this.#lastNumber, this.#oldUpTo])]
  }
}

const nameOf = ({ kind, key }: Pending): string => `${familyOf(kind)}\n${key}`

const removals = (numbers: readonly number[]): StorageChange[] => numbers.map(number => [actionKey(number), undefined])
