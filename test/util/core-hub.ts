import { randomBytes } from 'node:crypto'
import {
  decodeFrame,
  encodeFrame,
  encodeValue,
  type ConnectionEvents,
  type Frame,
  type FrameFields,
  type FrameKind,
  type HubFrame,
  type Plain,
  type ViewName,
  type WireChange
} from '../../protocol/index.ts'
import { authenticateToken, registerDevice } from '../../server/auth/devices.ts'
import type { Account } from '../../server/core/account.ts'
import { NO_HOUSEHOLDS, type HouseholdRules } from '../../server/core/household.ts'
import { Hub } from '../../server/core/hub.ts'
import type { HubConnection, Logger } from '../../server/core/ports.ts'
import type { Store } from '../../server/core/store.ts'
import { MemoryStore } from '../../server/storage/memory.ts'
import { ManualClock } from './manual-clock.ts'

/** What the hub logged, for tests that ask. */
export function recordingLogger(): Logger & { readonly lines: { level: string; fields: object; message: string }[] } {
  const lines: { level: string; fields: object; message: string }[] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export interface TestDevice {
  readonly device: string
  readonly token: string
}

export interface CoreHub {
  readonly hub: Hub
  readonly store: Store
  readonly clock: ManualClock
  readonly logger: ReturnType<typeof recordingLogger>
  /** A new account with devices of these names, and their tokens by name. */
  readonly account: (...devices: string[]) => Promise<{ account: Account; devices: Record<string, TestDevice> }>
  /** A client on an in-memory connection, which has not said anything yet. */
  readonly connect: () => TestClient
}

/** A hub's core on a memory store, with a clock that the test moves. */
export function coreHub({
  store = new MemoryStore(),
  maxSessions = 1_000,
  maxAccountBytes = Infinity,
  clock = new ManualClock(),
  household = NO_HOUSEHOLDS
}: {
  store?: Store
  maxSessions?: number
  maxAccountBytes?: number
  clock?: ManualClock
  household?: HouseholdRules
} = {}): CoreHub {
  const logger = recordingLogger()
  const random = (count: number): Uint8Array => randomBytes(count)
  const hub = new Hub({
    store,
    clock,
    logger,
    randomBytes: random,
    authenticate: authenticateToken,
    maxSessions,
    maxAccountBytes,
    household,
    onFailure: error => {
      throw error
    }
  })
  let accounts = 0
  return {
    hub,
    store,
    clock,
    logger,
    async account(...names) {
      accounts += 1
      const account = await hub.ensureAccount(`account${accounts}`)
      const devices: Record<string, TestDevice> = {}
      for (const name of names) devices[name] = await registerDevice(account, { name, app: 'test' }, random)
      return { account, devices }
    },
    connect() {
      const client = new TestClient()
      hub.accept(client.hubEnd)
      return client
    }
  }
}

export type TestAction = [number: number, kind: string, key: string, body: unknown, atMs?: number]

/** The client's end of a connection, frame by frame. What it sends arrives at once; what the hub sends is kept until asked for. */
export class TestClient {
  readonly hubEnd: HubConnection
  /** Every change that arrived, in order. */
  readonly changes: WireChange[] = []
  readonly frames: HubFrame[] = []
  closeCode: number | undefined
  /** Set when the hub sent what no client can read. */
  fault: unknown
  receivedBytes = 0
  isHubPaused = false
  /** While set, nothing drains: bytes stay with the hub. */
  isStuck = false
  #events: ConnectionEvents | undefined
  #stuckBytes = 0
  #wakers: (() => void)[] = []
  #cursor = 0
  #reads = 0

  constructor() {
    const take = (bytes: Uint8Array): void => {
      if (this.closeCode !== undefined) return
      if (this.isStuck) this.#stuckBytes += bytes.length
      this.receivedBytes += bytes.length
      try {
        this.#take(decodeFrame(bytes, 'hub'))
      } catch (error) {
        this.fault = error
        this.drop()
      }
    }
    const close = (code: number, text: string): void => {
      if (this.closeCode !== undefined) return
      this.closeCode = code
      this.#wake()
      queueMicrotask(() => this.#events?.onClose({ code, text }))
    }
    const stuckBytes = (): number => this.#stuckBytes
    this.hubEnd = {
      remote: 'test',
      get bufferedBytes() {
        return stuckBytes()
      },
      listen: events => (this.#events = events),
      send: take,
      pause: () => (this.isHubPaused = true),
      resume: () => (this.isHubPaused = false),
      close
    }
  }

  #take(frame: HubFrame): void {
    this.frames.push(frame)
    if (frame.kind === 'changes') this.changes.push(...frame.changes)
    this.#wake()
  }

  /** Lets so many bytes of what is stuck go, without the hub being told. */
  trickle(bytes: number): void {
    this.#stuckBytes = Math.max(0, this.#stuckBytes - bytes)
  }

  /** Lets everything that is stuck go. */
  drain(): void {
    this.isStuck = false
    this.#stuckBytes = 0
    this.#events?.onDrain()
  }

  bytes(bytes: Uint8Array): void {
    this.#events?.onFrame(bytes)
  }

  send<K extends FrameKind>(kind: K, fields: FrameFields<K>): void {
    this.bytes(encodeFrame(kind, fields))
  }

  /** The other end vanishes. */
  drop(): void {
    this.closeCode = 1006
    this.#wake()
    this.#events?.onClose({ code: 1006, text: '' })
  }

  async hello(token: string, { client = 'tab', epoch = '', cursor = 0, version = 1 } = {}): Promise<Frame<'welcome'>> {
    this.send('hello', { version, token, client, epoch, cursor, agent: 'test' })
    return this.next('welcome')
  }

  push(confirmed: number, ...actions: TestAction[]): void {
    const wire = actions.map(([number, kind, key, body, atMs = 0]) => [number, atMs, kind, key, body as Plain] as const)
    this.send('push', { confirmed, actions: wire })
  }

  /** Pushes one action and waits for its answer. */
  async ask(number: number, kind: string, key: string, body: unknown): Promise<Frame<'acked'>> {
    this.push(0, [number, kind, key, body])
    return this.next('acked')
  }

  /** The next frame of this kind, waiting for it if need be. Frames of other kinds are passed over. */
  async next<K extends HubFrame['kind']>(kind: K): Promise<Frame<K>> {
    for (;;) {
      while (this.#cursor < this.frames.length) {
        const frame = this.frames[this.#cursor++]!
        if (frame.kind === kind) return frame as unknown as Frame<K>
        if (frame.kind === 'bye') throw new Error(`the hub said bye: ${frame.code} ${frame.message}`)
      }
      if (this.closeCode !== undefined) throw this.#ended()
      await this.#news()
    }
  }

  /** Waits until so many changes have arrived. */
  async changesUpTo(cursor: number): Promise<WireChange[]> {
    while ((this.changes.at(-1)?.[0] ?? 0) < cursor) {
      if (this.closeCode !== undefined) throw this.#ended()
      await this.#news()
    }
    return this.changes
  }

  /** Waits for the end. */
  async closed(): Promise<{ code: number; bye: Frame<'bye'> | undefined }> {
    while (this.closeCode === undefined) await this.#news()
    const bye = this.frames.find(frame => frame.kind === 'bye')
    return { code: this.closeCode, bye }
  }

  /** A page of a view, or its refusal. */
  async read(view: ViewName, key = '', after = '', item = ''): Promise<Frame<'view'> | Frame<'failed'>> {
    const id = ++this.#reads
    this.send('read', { id, view, key, after, ...(item !== '' && { item }) })
    for (;;) {
      const frame = this.frames.find(frame => (frame.kind === 'view' || frame.kind === 'failed') && frame.id === id)
      if (frame !== undefined) return frame as Frame<'view'> | Frame<'failed'>
      if (this.closeCode !== undefined) throw this.#ended()
      await this.#news()
    }
  }

  /** All pages of a list view. */
  async list(view: ViewName, key = '', item = ''): Promise<[id: string, value: { [field: string]: Plain }][]> {
    const entries: [string, { [field: string]: Plain }][] = []
    for (let after = ''; ;) {
      const page = await this.read(view, key, after, item)
      if (page.kind === 'failed') throw new Error(`${view} failed: ${page.code} ${page.message}`)
      entries.push(...(page.value as [string, { [field: string]: Plain }][]))
      if (page.next === '') return entries
      after = page.next
    }
  }

  #ended(): Error {
    return new Error(`closed with ${this.closeCode}`, { cause: this.fault })
  }

  #news(): Promise<void> {
    return new Promise(resolve => this.#wakers.push(resolve))
  }

  #wake(): void {
    for (const waker of this.#wakers.splice(0)) waker()
  }
}

/** Raw msgpack, for frames that the codec would not write. */
export const raw = (value: Plain): Uint8Array => encodeValue(value)
