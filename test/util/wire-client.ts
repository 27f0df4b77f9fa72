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

/** A bare client of the Lectern protocol on a real websocket: it checks what it is told, and keeps all of it. */
export class WireClient {
  readonly changes: WireChange[] = []
  cursor = 0
  epoch = ''
  /** Set when the connection has ended. */
  closeCode: number | undefined
  bye: Frame<'bye'> | undefined
  #socket: WebSocket | undefined
  readonly #waiting = new Set<{ accept(frame: HubFrame): boolean; reject(error: Error): void }>()
  onFrame: (frame: HubFrame) => void = () => undefined

  /** Connects and signs in; goes on from the cursor that it has. */
  async connect(url: string, token: string, client = 'tab'): Promise<Frame<'welcome'>> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, SUBPROTOCOL)
    this.#socket = socket
    this.closeCode = undefined
    socket.on('error', () => undefined)
    socket.on('close', code => {
      if (this.#socket !== socket) return
      this.closeCode = code
      for (const waiter of this.#waiting) waiter.reject(new Error(`closed with ${code} ${this.bye?.code ?? ''}`))
      this.#waiting.clear()
    })
    socket.on('message', (data: Buffer) => {
      if (this.#socket === socket) this.#take(decodeFrame(data, 'hub'))
    })
    const welcome = this.next('welcome')
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('close', () => reject(new Error('refused')))
    }).catch(() => undefined)
    const { epoch, cursor } = this
    this.send('hello', { version: 1, token, client, epoch, cursor, agent: 'test', wantsChanges: true })
    const frame = await welcome
    this.epoch = frame.epoch
    return frame
  }

  send<K extends FrameKind>(kind: K, fields: FrameFields<K>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(kind, fields))
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket!.send(bytes)
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
    this.#socket!.pause()
  }

  close(): void {
    this.#socket?.terminate()
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
