import { WebSocket } from 'ws'
import {
  decodeFrame,
  encodeFrame,
  SUBPROTOCOL,
  type Frame,
  type FrameFields,
  type FrameKind,
  type HubFrame,
  type Plain,
  type WireChange
} from '../../protocol/index.ts'

/** One connection of a bare client, over whatever carrier. */
export interface Wire {
  readonly isOpen: boolean
  send(bytes: Uint8Array): void
  /** Stops reading, for good. */
  freeze(): void
  /** Ends it without a word. */
  terminate(): void
}

export interface WireEvents {
  readonly onOpen: () => void
  readonly onMessage: (bytes: Uint8Array) => void
  /** Comes once. */
  readonly onClose: (code: number) => void
}

/** Begins a connection to the hub at `url`. */
export type OpenWire = (url: string, events: WireEvents) => Wire

const openWebSocket: OpenWire = (url, { onOpen, onMessage, onClose }) => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, SUBPROTOCOL)
  socket.on('error', () => undefined)
  socket.on('open', onOpen)
  socket.on('message', onMessage)
  socket.on('close', onClose)
  return {
    get isOpen() {
      return socket.readyState === WebSocket.OPEN
    },
    send: bytes => socket.send(bytes),
    freeze: () => socket.pause(),
    terminate: () => socket.terminate()
  }
}

/** A bare client of the Lectern protocol on a real connection: it checks what it is told, and keeps all of it. */
export class WireClient {
  readonly changes: WireChange[] = []
  cursor = 0
  epoch = ''
  /** Set when the connection has ended. */
  closeCode: number | undefined
  bye: Frame<'bye'> | undefined
  readonly #openWire: OpenWire
  #wire: Wire | undefined
  readonly #waiting = new Set<{ accept(frame: HubFrame): boolean; reject(error: Error): void }>()
  readonly #closedWaiters: ((code: number) => void)[] = []
  onFrame: (frame: HubFrame) => void = () => undefined

  /** @param openWire the carrier; a WebSocket by default */
  constructor(openWire: OpenWire = openWebSocket) {
    this.#openWire = openWire
  }

  /** Connects and signs in; goes on from the cursor that it has. */
  async connect(url: string, token: string, client = 'tab'): Promise<Frame<'welcome'>> {
    this.closeCode = undefined
    const welcome = this.next('welcome')
    await this.open(url).catch(() => undefined)
    const { epoch, cursor } = this
    this.send('hello', { version: 1, token, client, epoch, cursor, agent: 'test', wantsChanges: true })
    const frame = await welcome
    this.epoch = frame.epoch
    return frame
  }

  /** Connects, and says nothing yet. */
  open(url: string): Promise<void> {
    this.closeCode = undefined
    return new Promise((resolve, reject) => {
      const wire = this.#openWire(url, {
        onOpen: resolve,
        onMessage: bytes => {
          if (this.#wire === wire) this.#take(decodeFrame(bytes, 'hub'))
        },
        onClose: code => {
          reject(new Error('refused'))
          if (this.#wire !== wire) return
          this.closeCode = code
          for (const waiter of this.#waiting) waiter.reject(new Error(`closed with ${code} ${this.bye?.code ?? ''}`))
          this.#waiting.clear()
          for (const resolveClosed of this.#closedWaiters.splice(0)) resolveClosed(code)
        }
      })
      this.#wire = wire
    })
  }

  /** Resolves with the close code once the connection has ended. */
  closed(): Promise<number> {
    if (this.closeCode !== undefined) return Promise.resolve(this.closeCode)
    return new Promise(resolve => this.#closedWaiters.push(resolve))
  }

  send<K extends FrameKind>(kind: K, fields: FrameFields<K>): void {
    if (this.#wire?.isOpen === true) this.#wire.send(encodeFrame(kind, fields))
  }

  sendBytes(bytes: Uint8Array): void {
    this.#wire!.send(bytes)
  }

  /** The next frame of a kind that fits. */
  next<K extends HubFrame['kind']>(kind: K, fits: (frame: Frame<K>) => boolean = () => true): Promise<Frame<K>> {
    return new Promise((resolve, reject) => {
      const waiter = {
        accept: (frame: HubFrame): boolean => {
          if (frame.kind !== kind || !fits(frame as unknown as Frame<K>)) return false
          resolve(frame as unknown as Frame<K>)
          return true
        },
        reject
      }
      this.#waiting.add(waiter)
      if (this.closeCode !== undefined) reject(new Error(`closed with ${this.closeCode}`))
    })
  }

  /** Resolves once every change up to `cursor` has arrived. */
  async upTo(cursor: number): Promise<void> {
    while (this.cursor < cursor) await this.next('changes')
  }

  /** Reads all pages of a list view. */
  async list(view: Frame<'read'>['view'], key = ''): Promise<[string, Record<string, Plain>][]> {
    const entries: [string, Record<string, Plain>][] = []
    let after = ''
    do {
      const page = await this.read(view, key, after)
      entries.push(...(page.value as [string, Record<string, Plain>][]))
      after = page.next
    } while (after !== '')
    return entries
  }

  /** Reads a book's document, joining its parts. */
  async document(book: string): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let after = ''
    do {
      const page = await this.read('document', book, after)
      parts.push(page.value as Uint8Array)
      after = page.next
    } while (after !== '')
    return new Uint8Array(Buffer.concat(parts))
  }

  async read(view: Frame<'read'>['view'], key: string, after: string): Promise<Frame<'view'>> {
    const answer = this.next('view')
    this.send('read', { id: 1, view, key, after })
    return answer
  }

  /** Stops reading from the socket, for good. */
  freeze(): void {
    this.#wire!.freeze()
  }

  close(): void {
    this.#wire?.terminate()
  }

  #take(frame: HubFrame): void {
    if (frame.kind === 'bye') this.bye = frame
    if (frame.kind === 'resync') this.cursor = frame.cursor
    if (frame.kind === 'changes')
      for (const change of frame.changes) {
        if (change[0] !== this.cursor + 1) throw new Error(`change ${change[0]} came after ${this.cursor}`)
        this.cursor = change[0]
        this.changes.push(change)
      }
    this.onFrame(frame)
    for (const waiter of this.#waiting) if (waiter.accept(frame)) this.#waiting.delete(waiter)
  }
}
