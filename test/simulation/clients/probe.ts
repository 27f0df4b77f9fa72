import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameFields,
  type FrameKind,
  type HubFrame,
  type Plain,
  type ViewName,
  type WireChange
} from '../../../protocol/index.ts'
import type { World } from '../world/world.ts'
import type { App } from './app.ts'

/** A session that only looks: catches up from a cursor, and reads views. */
export class Probe {
  readonly changes: WireChange[] = []
  /** What a snapshot held. */
  readonly entries: WireChange[] = []
  resync: Frame<'resync'> | undefined
  /** Why the hub ended it. */
  bye: string | undefined
  isClosed = false
  readonly #send: (bytes: Uint8Array) => void
  readonly #close: () => void
  readonly #views = new Map<number, Frame<'view'> | Frame<'failed'>>()
  #reads = 0
  #wake = (): void => {}

  constructor(world: World, account: string, client: string, hello: { token: string; epoch?: string; cursor?: number }) {
    const end = world.dial({ party: { account, device: 'observer', client }, lines: [], isOffline: false } as unknown as App)
    this.#send = bytes => end.send(bytes)
    this.#close = () => end.close(1000, '')
    end.listen({
      onFrame: bytes => this.#received(decodeFrame(bytes, 'hub')),
      onDrain() {},
      onClose: () => {
        this.isClosed = true
        this.#wake()
      }
    })
    this.#say('hello', { version: 1, client, epoch: '', cursor: 0, agent: 'probe', ...hello })
  }

  /** A whole view. */
  async read(view: ViewName, key: string): Promise<[id: string, fields: Record<string, Plain>][]> {
    const entries: [string, Record<string, Plain>][] = []
    for (let after = ''; ;) {
      const id = ++this.#reads
      this.#say('read', { id, view, key, after })
      while (!this.#views.has(id)) {
        if (this.isClosed) throw new Error(`the hub ended the observer: ${this.bye}`)
        await this.#news()
      }
      const page = this.#views.get(id)!
      if (page.kind === 'failed') throw new Error(`the hub failed to read ${view}: ${page.code} ${page.message}`)
      entries.push(...(page.value as [string, Record<string, Plain>][]))
      if (page.next === '') return entries
      after = page.next
    }
  }

  close(): void {
    this.#close()
  }

  #say<K extends FrameKind>(kind: K, fields: FrameFields<K>): void {
    this.#send(encodeFrame(kind, fields))
  }

  #received(frame: HubFrame): void {
    if (frame.kind === 'resync') this.resync = frame
    if (frame.kind === 'changes') this.changes.push(...frame.changes)
    if (frame.kind === 'snapshot') this.entries.push(...frame.entries)
    if (frame.kind === 'bye') this.bye = frame.code
    if (frame.kind === 'view' || frame.kind === 'failed') this.#views.set(frame.id, frame)
    this.#wake()
  }

  #news(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}
