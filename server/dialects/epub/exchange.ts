import { HubError, type ActionBody, type ActionKind, type Plain } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import type { Hub } from '../../core/hub.ts'
import type { Origin } from '../../core/origin.ts'
import { permits } from '../../core/policy.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import { locationOf, noteTold, toldOf } from '../../core/tellings.ts'
import type { Views } from '../../core/views.ts'
import { isKnown, isMembers, remembered, type Members } from './members.ts'
import { DEVICE_PREFIX, type Caller } from './sign-in.ts'

/** One action that an item of a request comes to. */
export type Step = { readonly [K in ActionKind]: readonly [kind: K, key: string, body: ActionBody<K>] }[ActionKind]

/** What of one device is in the answer, to be remembered once it is known how far the answer goes. */
interface Telling {
  readonly item: string
  readonly members: Members
  readonly place: readonly string[] | undefined
}

/** Items whose actions are begun before the first of them is durable. */
const AT_ONCE = 16
/** Tellings that are remembered in one turn of the event loop. */
const REMEMBERED_AT_ONCE = 32
/** Devices that are asked for what they were told. */
const MAX_DEVICES = 64

/** One request of a device that synchronizes: what it has by its own word, what it sends, what it is told. */
export class Exchange {
  readonly account: Account
  readonly device: string
  /** How far the device has got, in the hub's time; 0 for one that has nothing. */
  readonly sinceUs: number
  readonly clock: Clock
  readonly #caller: Caller
  readonly #hub: Pick<Hub, 'isReadOnly'>
  #devices: readonly string[] | undefined
  readonly #sent = new Set<string>()
  readonly #tellings: Telling[] = []
  readonly #begun: Promise<unknown>[] = []
  /** What was refused, item by item. */
  readonly messages: string[] = []

  constructor(caller: Caller, sinceUs: number, { clock, hub }: { readonly clock: Clock; readonly hub: Pick<Hub, 'isReadOnly'> }) {
    this.account = caller.account
    this.device = caller.device
    this.sinceUs = sinceUs
    this.clock = clock
    this.#caller = caller
    this.#hub = hub
  }

  get views(): Views {
    return this.account.views
  }

  get origin(): Origin {
    return this.#caller.origin
  }

  /** The device, and others of this API that were not cut off: those that may have been told of something. */
  get devices(): readonly string[] {
    return (this.#devices ??= [this.device, ...this.#others()])
  }

  /** False while nothing may be written, the account is full, or the device is cut off: then what is told now is told once more. */
  get #canRemember(): boolean {
    return !this.#hub.isReadOnly && !this.account.isFull && this.#caller.refusal() === undefined
  }

  /** @throws HubError `forbidden` */
  mustWrite(): void {
    if (!permits(this.origin.actor, 'annotation.put')) throw new HubError('forbidden', 'this device may only read')
  }

  /** What the device has of an item; undefined when nothing is known of that. */
  known(item: string): Members | undefined {
    const told = toldOf(this.views, this.device, item, this.sinceUs)
    return isMembers(told) ? told : undefined
  }

  place(item: string): readonly string[] | undefined {
    return locationOf(this.views, this.device, item)
  }

  /** Whether the device sent the item in this request. */
  hasSent(item: string): boolean {
    return this.#sent.has(item)
  }

  /** The device has this of an item, because it says so. */
  sent(item: string, value: Plain, place?: readonly string[]): void {
    this.#sent.add(item)
    const { device, sinceUs } = this
    if (this.#canRemember) noteTold(this.account, { device, item, sinceUs, atUs: sinceUs, value, location: place })
  }

  /** Remembers something of the device, whatever it says that it has. */
  keep(item: string, value: Plain): void {
    if (this.#canRemember) noteTold(this.account, { device: this.device, item, sinceUs: 0, atUs: 0, value })
  }

  /**
   * Whether the device has to be told an item that stands so; then it will be remembered that it was.
   * One that has nothing is told all, but for what it has just sent itself.
   */
  isNews(item: string, members: Members, place?: readonly string[]): boolean {
    const known = this.sinceUs > 0 || this.hasSent(item) ? this.known(item) : undefined
    if (known !== undefined && isKnown(known, members)) return false
    this.#tellings.push({ item, members, place })
    return true
  }

  /** The device will have what it is told once it has got to `untilUs`. Resolves when that, and all that it is told, is durable. */
  async told(untilUs: number): Promise<void> {
    for (const [index, { item, members, place }] of this.#tellings.entries()) {
      if (!this.#canRemember) break
      const { device, sinceUs } = this
      noteTold(this.account, { device, item, sinceUs, atUs: untilUs, value: remembered(members), location: place })
      if (index % REMEMBERED_AT_ONCE === REMEMBERED_AT_ONCE - 1) {
        this.account.storeRecords()
        await nextTurn(this.clock)
      }
    }
    await this.kept()
  }

  /** Something that the answer rests on: without it there is none. */
  begun(work: Promise<unknown>): void {
    work.catch(() => undefined)
    this.#begun.push(work)
  }

  /**
   * Resolves when everything done so far is durable.
   * @throws what was begun
   */
  async kept(): Promise<void> {
    if (!this.#hub.isReadOnly) this.account.storeRecords()
    await this.account.settled()
    await Promise.all(this.#begun)
  }

  /**
   * Takes items one by one, a few in each turn of the event loop. One that is refused is told by a message, and the rest goes on.
   * @param name what messages call the list
   * @param prepare brings what the items need into memory
   * @throws HubError what concerns all of them: the device was cut off, or there is no room to write
   */
  async takeAll<T>(
    items: readonly { readonly index: number; readonly item: T }[],
    name: (index: number) => string,
    take: (item: T) => Promise<void>,
    prepare: () => Promise<void> = async () => undefined
  ): Promise<void> {
    for (let at = 0; at < items.length; at += AT_ONCE) {
      const refusal = this.#caller.refusal()
      if (refusal !== undefined) throw refusal
      await prepare()
      const taken = items
        .slice(at, at + AT_ONCE)
        .map(({ index, item }) => take(item).catch((error: unknown) => this.#refused(name(index), error)))
      this.account.storeRecords()
      await Promise.all(taken)
      await nextTurn(this.clock)
    }
  }

  /**
   * Lets the steps of one item take effect, and remembers that the device has it: in one commit, so that the item sent once more does nothing.
   * Begins at once. Without steps there is nothing to change.
   * @throws HubError the refusal of a step; those behind it are left
   */
  async perform(steps: readonly Step[], keep: () => void): Promise<void> {
    const done: Promise<number>[] = []
    const { account, origin } = this
    const isTaken = steps.every(([kind, key, body]) => {
      const before = account.head
      done.push(account.perform(origin, kind, key, body))
      // What takes effect has done so by now; only its flush is waited for.
      return account.head > before
    })
    if (isTaken) keep()
    await Promise.all(done)
  }

  #others(): string[] {
    const others: string[] = []
    for (let after = DEVICE_PREFIX; ;) {
      const page = this.views.range('devices', [], after, MAX_DEVICES)
      for (const [id, { revoked }] of page) {
        if (!id.startsWith(DEVICE_PREFIX) || others.length >= MAX_DEVICES) return others
        if (!revoked && id !== this.device) others.push(id)
      }
      if (page.length < MAX_DEVICES) return others
      after = page.at(-1)![0]
    }
  }

  #refused(name: string, error: unknown): void {
    if (!(error instanceof HubError) || error.code === 'storage-full' || error.code === 'internal') throw error
    this.messages.push(`${name}: ${error.message}`)
  }
}
