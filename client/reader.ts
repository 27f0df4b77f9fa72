import {
  FRAMES,
  HubError,
  LIMITS,
  checked,
  isErrorCode,
  type Frame,
  type FrameFields,
  type Plain,
  type ViewName
} from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import { joinBytes } from './join-bytes.ts'

/** There is no connection to ask by. Actions need none: they wait in the outbox. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError'

  constructor() {
    super('reading from the hub needs a connection')
  }
}

type Page = Frame<'view'>

interface Waiting {
  readonly resolve: (page: Page) => void
  readonly reject: (error: Error) => void
}

const PAGE_TIMEOUT_MS = 30_000
const MOST_BYTES = LIMITS.maxDocumentBytes + LIMITS.maxFrameBytes
const MOST_ITEMS = 1_000_000
const MOST_TRIES = 5

/** Reads views from the hub, page by page. */
export class Reader {
  readonly #send: (fields: FrameFields<'read'>) => boolean
  readonly #clock: Clock
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  /** The hub keeps one document at a time for a session's reading, so views are read one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  /** @param send false while there is no connection */
  constructor(send: (fields: FrameFields<'read'>) => boolean, clock: Clock) {
    this.#send = send
    this.#clock = clock
  }

  /**
   * Reads a whole view. Parts of a document belong together only when they are of one reading, so it is read again when the hub let go of that
   * or the document changed meanwhile.
   *
   * @throws OfflineError; HubError with what the hub answered, `overloaded` when it did not, or `bad-request` for what it would end the connection for
   */
  read(view: ViewName, key: string, item: string): Promise<Plain> {
    const reading = this.#last.then(() => this.#read(view, key, item))
    this.#last = reading.catch(() => {})
    return reading
  }

  async #read(view: ViewName, key: string, item: string): Promise<Plain> {
    const { fields } = FRAMES.read
    checked('bad-request', fields.view, view, 'view')
    checked('bad-request', fields.key, key, 'key')
    checked('bad-request', fields.item, item, 'item')
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const pages = await this.#pages(view, key, item)
      if (pages !== undefined) return joined(pages)
    }
    throw new HubError('overloaded', 'the document could not be read in one go')
  }

  received(page: Page): void {
    this.#take(page.id)?.resolve(page)
  }

  failed({ id, code, message, field }: Frame<'failed'>): void {
    this.#take(id)?.reject(new HubError(isErrorCode(code) ? code : 'internal', message, { field }))
  }

  disconnected(): void {
    for (const { reject } of this.#waiting.values()) reject(new OfflineError())
    this.#waiting.clear()
  }

  /** @returns undefined when it has to begin again */
  async #pages(view: ViewName, key: string, item: string): Promise<Plain[] | undefined> {
    const values: Plain[] = []
    let first: Page | undefined
    let after = ''
    let size = 0
    do {
      const page = await this.#page({ id: ++this.#lastId, view, key, after, ...(item !== '' && { item }) }).catch(
        (error: Error) => {
          if (view === 'document' && after !== '' && isLetGo(error)) return undefined
          throw error
        }
      )
      if (page === undefined) return undefined
      first ??= page
      if (view === 'document' && page.cursor !== first.cursor) return undefined
      values.push(page.value)
      size += page.value instanceof Uint8Array ? page.value.length : Array.isArray(page.value) ? page.value.length + 1 : 1
      if (size > (view === 'document' ? MOST_BYTES : MOST_ITEMS))
        throw new HubError('too-large', `the view ${view} is over the limit`)
      if (page.next !== '' && page.next === after) throw new HubError('bad-frame', `the view ${view} does not end`)
      after = page.next
    } while (after !== '')
    return values
  }

  #page(fields: FrameFields<'read'>): Promise<Page> {
    return new Promise((resolve, reject) => {
      if (!this.#send(fields)) return reject(new OfflineError())
      const cancel = this.#clock.after(PAGE_TIMEOUT_MS, () => {
        this.#take(fields.id)?.reject(new HubError('overloaded', 'the hub did not answer in time'))
      })
      this.#waiting.set(fields.id, {
        resolve(page) {
          cancel()
          resolve(page)
        },
        reject(error) {
          cancel()
          reject(error)
        }
      })
    })
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }
}

/** A hub short of memory does not know any more where the next part begins. */
const isLetGo = (error: Error): boolean => error instanceof HubError && error.code === 'bad-request' && error.field === 'after'

/** Pages of a list behind one another; parts of a document as one. */
function joined(values: readonly Plain[]): Plain {
  if (values.length === 1) return values[0]!
  return values.every(value => value instanceof Uint8Array) ? joinBytes(values) : values.flatMap(value => value)
}
