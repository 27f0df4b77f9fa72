import {
  encodeFrame,
  type ChangeBody,
  type Frame,
  type FrameFields,
  type FrameKind,
  type HubFrame,
  type ViewName,
  type WireAction,
  type WireChange,
  decodeFrame
} from '../../../protocol/index.ts'
import type { Random } from '../../util/random.ts'
import { WallClock } from '../world/clocks.ts'
import { Life } from '../world/loop.ts'
import type { Line, LineEnd } from '../world/network.ts'
import type { Party } from '../history.ts'
import type { World } from '../world/world.ts'
import type { App, Shown } from './app.ts'
import { bookOf, contentOf, malformedOf, type Content } from './contents.ts'
import { YjsBooks } from './yjs-books.ts'

/** How often it sends again what was answered already. */
const REPEATED = 0.15

/** A client that speaks the protocol by hand. Its memory survives; it sends again more than it must, over every new connection. */
export class WireApp implements App {
  readonly party: Party
  readonly wall: WallClock
  isOffline = false
  lines: Line[] = []
  failures = 0
  isCutOff = false
  readonly #world: World
  readonly #token: string
  readonly #random: Random
  readonly #unanswered = new Map<number, WireAction>()
  readonly #answered = new Map<number, WireAction>()
  readonly #books = new YjsBooks()
  #last = 0
  #confirmed = 0
  #epoch = ''
  #cursor = 0
  #head = 0
  #reads = 0
  #end: LineEnd | undefined
  #isWelcome = false
  /** One that is arriving. */
  #snapshot: { readonly epoch: string; readonly cursor: number; readonly parts: Uint8Array[] } | undefined
  #life: Life | undefined

  constructor(world: World, party: Party, token: string, random: Random, clockOffMs: number) {
    this.#world = world
    this.party = party
    this.#token = token
    this.#random = random
    this.wall = new WallClock(world.loop, clockOffMs)
  }

  start(): void {
    if (this.#life !== undefined) return
    this.#life = new Life()
    this.#dial(this.#life)
  }

  crash(): void {
    if (this.#life === undefined) return
    this.#life.isOver = true
    this.#life = undefined
    this.#end = undefined
    this.#isWelcome = false
    this.#books.close()
    for (const line of this.lines) line.client.abandon(this.#random.chance(0.7))
  }

  /** It has no storage. */
  inNextWrite(): void {}
  copy(): void {}
  restore(): void {}

  reopen(): void {
    this.#end?.close(1000, '')
  }

  act(random: Random): void {
    const { account } = this.party
    const book = bookOf(random, account)
    const update = random.chance(0.3) ? this.#books.edit(book, random) : undefined
    this.#ask(update === undefined ? contentOf(random, account) : ['annotation.update', book, update], random)
  }

  misspeak(random: Random): void {
    const { account } = this.party
    const book = bookOf(random, account)
    const update = random.chance(0.5) ? this.#books.badEdit(book, random) : undefined
    this.#ask(update === undefined ? malformedOf(random, account) : ['annotation.update', book, update], random)
  }

  read(random: Random): void {
    const view = random.pick<ViewName>(['books', 'book', 'settings', 'devices', 'positions', 'annotations', 'document'])
    const key = ['books', 'settings', 'devices'].includes(view) ? '' : bookOf(random, this.party.account)
    if (this.#isWelcome) this.#send('read', { id: ++this.#reads, view, key, after: '' })
  }

  repeat(random: Random, isOther: boolean): void {
    const known = [...this.#answered.values(), ...(isOther ? [] : this.#unanswered.values())]
    if (known.length === 0 || !this.#isWelcome) return
    const [number, atMs, kind, key, body] = random.pick(known)
    const [otherKind, otherKey, otherBody] = contentOf(random, this.party.account)
    const action: WireAction = isOther ? [number, atMs, otherKind, otherKey, otherBody] : [number, atMs, kind, key, body]
    this.#send('push', { confirmed: 0, actions: [action] })
  }

  misplace(random: Random): void {
    const other = random.below(3)
    if (other === 0) this.#cursor += 1_000
    else if (other === 1) this.#epoch = 'another'
    else this.#cursor = random.below(this.#cursor + 1)
    this.#end?.close(1000, '')
  }

  get isQuiet(): boolean {
    return this.isCutOff || (this.#isWelcome && this.#unanswered.size === 0 && this.#cursor >= this.#head)
  }

  get state(): string {
    return `${this.#isWelcome ? 'welcome' : 'away'}, at ${this.#cursor} of ${this.#head}, ${this.#unanswered.size} unanswered`
  }

  async show(): Promise<Shown | undefined> {
    return undefined
  }

  #ask([kind, key, body]: Content, random: Random): void {
    this.#last += random.chance(0.1) ? 1 + random.below(5) : 1
    const action: WireAction = [this.#last, Math.max(0, Math.floor(this.wall.nowMs())), kind, key, body]
    this.#unanswered.set(this.#last, action)
    if (this.#isWelcome) this.#push([action])
  }

  #push(actions: readonly WireAction[]): void {
    const first = this.#unanswered.keys().next().value ?? this.#last + 1
    // It may confirm less than it could, never more.
    if (this.#random.chance(0.3)) this.#confirmed = first - 1
    this.#send('push', { confirmed: this.#confirmed, actions: [...actions] })
  }

  #send<K extends FrameKind>(kind: K, fields: FrameFields<K>): void {
    this.#end?.send(encodeFrame(kind, fields))
  }

  #dial(life: Life): void {
    const end = this.#world.dial(this)
    const isCurrent = (): boolean => this.#end === end && !life.isOver
    this.#end = end
    end.listen({
      onFrame: bytes => isCurrent() && this.#received(decodeFrame(bytes, 'hub')),
      onDrain() {},
      onClose: () => isCurrent() && this.#lost(life)
    })
    this.#send('hello', {
      version: 1,
      token: this.#token,
      client: this.party.client,
      epoch: this.#epoch,
      cursor: this.#cursor,
      agent: 'wire'
    })
  }

  #lost(life: Life): void {
    this.#end = undefined
    this.#isWelcome = false
    if (!this.isCutOff) this.#world.loop.after(this.#random.next() * 3_000, life, () => this.#dial(life))
  }

  #received(frame: HubFrame): void {
    switch (frame.kind) {
      case 'welcome':
        return this.#welcomed(frame)
      case 'resync':
        // Until the snapshot is here, there is nothing to go on from.
        this.#cursor = 0
        this.#epoch = ''
        this.#snapshot = { epoch: frame.epoch, cursor: frame.cursor, parts: [] }
        if (frame.cursor === 0) this.#begunAnew()
        return this.#books.clear()
      case 'snapshot':
        for (const entry of frame.entries) this.#entry(entry)
        if (frame.isLast) this.#begunAnew()
        return
      case 'changes':
        for (const change of frame.changes) this.#change(change)
        if (this.#random.chance(0.5)) this.#send('ack', { cursor: this.#cursor })
        return
      case 'acked':
        for (const [number] of frame.accepted) this.#settle(number)
        for (const [number] of frame.refused) this.#refused(number)
        return
      case 'bye':
        this.isCutOff = frame.code === 'device-revoked'
        return
      case 'view':
        if (frame.next !== '') this.#reads += 1
        return
      default:
    }
  }

  #welcomed({ epoch, head, lastNumber }: Frame<'welcome'>): void {
    this.#isWelcome = true
    this.#head = head
    if (this.#epoch === '' && this.#cursor === 0) this.#epoch = epoch
    this.#last = Math.max(this.#last, lastNumber)
    const again = [...this.#answered.values()].filter(([number]) => number > this.#confirmed && this.#random.chance(REPEATED))
    const actions = [...again, ...this.#unanswered.values()].sort(([left], [right]) => left - right)
    if (actions.length > 0) this.#push(actions)
  }

  #begunAnew(): void {
    this.#cursor = this.#snapshot!.cursor
    this.#epoch = this.#snapshot!.epoch
    this.#snapshot = undefined
  }

  /** Long updates come in parts, of which the last is called by its own name. */
  #entry([, , device, , , , kind, key, body]: WireChange): void {
    if (kind !== 'annotation.part' && kind !== 'annotation.update') return
    const parts = this.#snapshot!.parts
    parts.push(body as Uint8Array)
    if (kind === 'annotation.part') return
    this.#books.receive(key, new Uint8Array(Buffer.concat(parts)), device === this.party.device)
    parts.length = 0
  }

  #change([cursor, , device, , , , kind, key, body]: WireChange): void {
    this.#cursor = cursor
    if (kind === 'annotation.update')
      this.#books.receive(key, body as ChangeBody<'annotation.update'>, device === this.party.device)
  }

  #settle(number: number): void {
    const action = this.#unanswered.get(number)
    if (action === undefined) return
    this.#unanswered.delete(number)
    this.#answered.set(number, action)
  }

  /** What was refused is not to be built on. */
  #refused(number: number): void {
    const action = this.#unanswered.get(number)
    if (action?.[2] === 'annotation.update') this.#books.forget(action[3])
    this.#settle(number)
  }
}
