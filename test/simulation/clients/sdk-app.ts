import { connect, type Annotations, type Client, type StorageChange } from '../../../client/index.ts'
import { decodeValue, type ActionBody, type Plain, type ViewName } from '../../../protocol/index.ts'
import type { Random } from '../../util/random.ts'
import { WallClock, seededClientClock } from '../world/clocks.ts'
import { DeviceDisk } from '../world/device-storage.ts'
import { Life } from '../world/loop.ts'
import type { Line } from '../world/network.ts'
import type { KeptAction, Party } from '../history.ts'
import type { World } from '../world/world.ts'
import { sorted, withoutFields, type App, type Shown } from './app.ts'
import { annotationOf, bookOf, contentOf, textOf } from './contents.ts'

const ACTION_PREFIX = 'outbox\naction\n'
const OUTBOX = 'outbox\nclient'

/** An app made with the SDK, as it is. */
export class SdkApp implements App {
  readonly wall: WallClock
  isOffline = false
  lines: Line[] = []
  readonly #world: World
  readonly #owner: Omit<Party, 'client'>
  readonly #token: string
  readonly #random: Random
  readonly #disk: DeviceDisk
  #client: Client | undefined
  #life: Life | undefined
  readonly #open = new Map<string, Annotations>()
  #id = ''
  #copy: ReadonlyMap<string, Uint8Array> | undefined

  constructor(world: World, owner: Omit<Party, 'client'>, token: string, random: Random, clockOffMs: number) {
    this.#world = world
    this.#owner = owner
    this.#token = token
    this.#random = random
    this.wall = new WallClock(world.loop, clockOffMs)
    this.#disk = new DeviceDisk(world.loop, random, changes => this.#kept(changes))
  }

  get party(): Party {
    return { ...this.#owner, client: this.#id }
  }

  start(): void {
    if (this.#life !== undefined) return
    const life = new Life()
    this.#life = life
    void this.#connect(life)
  }

  crash(): void {
    if (this.#life === undefined) return
    this.#life.isOver = true
    this.#disk.crash()
    this.#left()
    for (const line of this.lines) line.client.abandon(this.#random.chance(0.7))
  }

  inNextWrite(task: () => void): void {
    this.#disk.inNextWrite(task)
  }

  reopen(): void {
    const client = this.#client
    const life = this.#life
    if (client === undefined || life === undefined) return
    this.#client = undefined
    void client.close().then(() => {
      if (life.isOver) return
      life.isOver = true
      this.#left()
      this.start()
    })
  }

  copy(): void {
    if (this.#id !== '') this.#copy = this.#disk.entries
  }

  restore(): void {
    if (this.#copy === undefined) return
    this.crash()
    this.#disk.entries = this.#copy
    this.#world.history.add({ is: 'restored', party: this.party, actions: this.#actionsIn([...this.#copy]) })
  }

  act(random: Random): void {
    const client = this.#client
    if (client === undefined) return
    const { account } = this.#owner
    if (random.chance(0.5)) return void this.#annotate(client, bookOf(random, account), random)
    const [kind, key, body] = contentOf(random, account)
    if (kind.startsWith('annotation.')) return void this.#annotate(client, key, random)
    client.submit(kind as 'setting.put', key, body as ActionBody<'setting.put'>).catch(() => {})
  }

  read(random: Random): void {
    const view = random.pick<ViewName>(['books', 'settings', 'devices', 'positions', 'annotations', 'document'])
    const key = ['books', 'settings', 'devices'].includes(view) ? '' : bookOf(random, this.#owner.account)
    this.#client?.read(view, key).catch(() => {})
  }

  repeat(): void {}
  misspeak(): void {}
  misplace(): void {}

  set failures(failures: number) {
    this.#disk.failures = failures
  }

  get isQuiet(): boolean {
    return this.isCutOff || (this.#client?.state === 'live' && this.#client.unanswered === 0)
  }

  get isCutOff(): boolean {
    return this.#client?.state === 'closed' && this.#client.reason?.code === 'device-revoked'
  }

  get state(): string {
    return `${this.#client?.state ?? 'not open'} ${this.#client?.reason?.code ?? ''} with ${this.#client?.unanswered} unanswered`
  }

  async show(): Promise<Shown | undefined> {
    const client = this.#client
    if (client === undefined) return undefined
    const annotations: [string, Plain][] = []
    const positions: [string, Plain][] = []
    for (const book of this.#world.booksOf(this.#owner.account)) {
      const handle = await client.annotations(book)
      for (const annotation of handle.list({ removed: true }))
        annotations.push([`${book} ${annotation.id}`, withoutFields(annotation, 'id')])
      handle.close()
      for (const [device, { progression, chapter, atMs, cursor }] of client.positions(book).byDevice)
        positions.push([`${book} ${device}`, { progression: progression ?? null, chapter: chapter ?? null, atMs, cursor }])
    }
    return {
      books: sorted([...client.books].map(([id, book]) => [id, withoutFields(book, 'id', 'changedAtMs')])),
      settings: sorted([...client.settings]),
      devices: sorted([...client.devices].map(([id, device]) => [id, withoutFields(device, 'id')])),
      positions: sorted(positions),
      annotations: sorted(annotations)
    }
  }

  async #connect(life: Life): Promise<void> {
    const { loop, history } = this.#world
    const opening = connect({
      dial: () => this.#world.dial(this),
      token: this.#token,
      storage: this.#disk.open(life),
      clock: seededClientClock(loop, life, this.wall, this.#random)
    })
    const client = await opening.catch(() => undefined)
    // On a full device it cannot even begin: somebody opens it again later.
    if (client === undefined) return void loop.after(1_000, life, () => void this.#connect(life))
    if (life.isOver) return
    this.#client = client
    client.on('error', error => history.add({ is: 'step', what: `${this.#id} says: ${error.message}` }))
    client.on('state', (state, reason) => history.add({ is: 'step', what: `${this.#id} is ${state} ${reason?.code ?? ''}` }))
  }

  async #annotate(client: Client, book: string, random: Random): Promise<void> {
    const life = this.#life!
    const handle = this.#open.get(book) ?? (await client.annotations(book).catch(() => undefined))
    if (handle === undefined || life.isOver || this.#client !== client) return
    this.#open.set(book, handle)
    const id = annotationOf(random)
    const known = handle.get(id)
    if (known === undefined || random.chance(0.3)) handle.put({ id, kind: 'highlight', note: textOf(random) })
    else if (random.chance(0.5)) {
      const note = handle.note(id)
      const at = random.below(note.length + 1)
      if (random.chance(0.3)) note.delete(at, Math.min(3, note.length - at))
      else note.insert(at, textOf(random))
    } else if (known.removedAtMs === undefined) handle.remove(id)
    else handle.restore(id)
    if (!random.chance(0.2)) return
    this.#open.delete(book)
    handle.close()
  }

  #left(): void {
    this.#life = undefined
    this.#client = undefined
    this.#open.clear()
  }

  /** What its storage holds of the outbox is what a crash must not take. */
  #kept(changes: readonly StorageChange[]): void {
    const id = changes.find(([key]) => key === OUTBOX)
    if (id !== undefined && this.#id === '') [this.#id] = decodeValue(id[1]!) as [string]
    const actions = this.#actionsIn(changes)
    const erased = changes.filter(([key, bytes]) => key.startsWith(ACTION_PREFIX) && bytes === undefined)
    if (actions.length + erased.length === 0) return
    this.#world.history.add({ is: 'kept', party: this.party, actions, erased: erased.map(([key]) => numberIn(key)) })
  }

  #actionsIn(entries: readonly StorageChange[]): KeptAction[] {
    const { contentOf } = this.#world.history
    return entries.flatMap(([name, bytes]): KeptAction[] => {
      if (!name.startsWith(ACTION_PREFIX) || bytes === undefined) return []
      const [, kind, key, body] = decodeValue(bytes) as [number, string, string, Plain]
      return [[numberIn(name), contentOf(kind, key, body)]]
    })
  }
}

const numberIn = (name: string): number => Number(name.slice(ACTION_PREFIX.length))
