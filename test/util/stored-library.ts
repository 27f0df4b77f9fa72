import * as Y from 'yjs'
import type { WireAction } from '../../protocol/index.ts'
import type { HubProcess } from './hub-process.ts'
import { WireClient } from './wire-client.ts'

/** A device on a hub that writes a bit of everything. */
export class LibraryWriter {
  readonly wire = new WireClient()
  readonly token: string
  readonly doc = new Y.Doc()
  number = 0
  /** The newest cursor that was acked. */
  acked = 0
  readonly #waiting = new Map<number, () => void>()

  private constructor(token: string) {
    this.token = token
    this.wire.onFrame = frame => {
      if (frame.kind !== 'acked') return
      for (const [number, cursor] of frame.accepted) {
        this.acked = Math.max(this.acked, cursor)
        this.#answered(number)
      }
      for (const [number] of frame.refused) this.#answered(number)
    }
  }

  static async open(hub: HubProcess, account: string): Promise<LibraryWriter> {
    const writer = new LibraryWriter((await hub.pair(account, 'writer')).token)
    await writer.wire.connect(hub.url, writer.token)
    return writer
  }

  /** Asks for so many actions of all kinds, some of which are refused, and waits for all answers. */
  async write(count: number): Promise<void> {
    const actions = Array.from({ length: count }, () => this.#next())
    const answered = Promise.all(actions.map(([number]) => new Promise<void>(resolve => void this.#waiting.set(number, resolve))))
    for (let at = 0; at < actions.length; at += 50)
      this.wire.send('push', { confirmed: Math.max(0, this.number - 200), actions: actions.slice(at, at + 50) })
    await answered
  }

  /** Writes on and on. What it returns ends that, and resolves once all is answered. */
  writeOn(): () => Promise<void> {
    const stop = new AbortController()
    const writing = (async () => {
      while (!stop.signal.aborted) await this.write(60)
    })()
    return () => {
      stop.abort()
      return writing
    }
  }

  #answered(number: number): void {
    this.#waiting.get(number)?.()
    this.#waiting.delete(number)
  }

  #next(): WireAction {
    const number = ++this.number
    const at = <T>(...values: readonly T[]): T => values[number % values.length]!
    const book = at('moby', 'emma', 'lear')
    const form = number % 7
    const sent = (kind: string, key: string, body: unknown): WireAction => [number, Date.now(), kind, key, body as never]
    if (form === 0)
      return sent('book.put', book, { title: `${book} ${number}`, tags: [at('a', 'b')], identifiers: { 'isbn:1': 'x' } })
    if (form === 1) return sent('position.set', book, { progression: (number % 100) / 100 })
    if (form === 2) return sent('setting.put', `s${number % 40}`, { value: 'x'.repeat(number % 50 === 2 ? 20_000 : 20) })
    if (form === 3)
      return sent('annotation.put', book, { id: `a${number % 9}`, note: `note ${number}`, color: at('red', 'blue') })
    if (form === 4) return sent('nonsense', 'x', {})
    let update: Uint8Array | undefined
    this.doc.once('update', made => void (update = made))
    this.doc.getMap('annotations').set(`y${number % 5}`, new Y.Map([['note', new Y.Text(`typed ${number}`)]]))
    return sent('annotation.update', 'shared', update)
  }
}
