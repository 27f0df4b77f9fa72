import { FRAMES, HubError, LIMITS, checked, type FrameFields } from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import type { Emitter } from './emitter.ts'
import type { ClientEvents } from './events.ts'

/** What a reader says of itself: where it is, what it selects, how it is called. Plain JSON. */
export type PresenceState = { readonly [name: string]: unknown }

/** One who reads a book now. */
export interface PresentReader {
  readonly device: string
  readonly state: PresenceState
  /** True for this client's own. */
  readonly isSelf: boolean
}

/** Where this client reads, told to the hub again and again; and who else reads there. Nothing of it is stored. */
export class Presence {
  readonly #send: (fields: FrameFields<'presence'>) => void
  readonly #events: Emitter<ClientEvents>
  readonly #clock: Clock
  readonly #own = new Map<string, string>()
  readonly #readers = new Map<string, Map<number, PresentReader>>()
  /** Among the readers of a book; undefined without a connection. */
  #id: number | undefined
  #cancelTimer: (() => void) | undefined

  /** @param send is called on a connection that was let in only */
  constructor(send: (fields: FrameFields<'presence'>) => void, events: Emitter<ClientEvents>, clock: Clock) {
    this.#send = send
    this.#events = events
    this.#clock = clock
  }

  /**
   * Says where the client reads, until it says otherwise.
   * @param state undefined: nowhere in this book any more
   * @throws RangeError when the state is too long, or this is one book too many; HubError `bad-request` for what the hub would end the connection for
   */
  say(book: string, state: PresenceState | undefined): void {
    checked('bad-request', FRAMES.presence.fields.book, book, 'book')
    const json = state === undefined ? '' : JSON.stringify(state)
    if (json !== '' && !json.startsWith('{')) throw new HubError('bad-request', 'a presence is a JSON object', { field: 'state' })
    if (json.length > LIMITS.maxPresenceLength)
      throw new RangeError(`a presence is at most ${LIMITS.maxPresenceLength} characters of JSON`)
    if (json === '') {
      if (!this.#own.delete(book)) return
      this.#readers.delete(book)
      this.#events.emit('presence', book)
    } else {
      if (!this.#own.has(book) && this.#own.size >= LIMITS.maxPresenceBooks)
        throw new RangeError(`a client is present in at most ${LIMITS.maxPresenceBooks} books`)
      this.#own.set(book, json)
    }
    if (this.#id === undefined) return
    this.#send({ book, id: this.#id, state: json })
    this.#cancelTimer ??= this.#clock.after(LIMITS.presenceIntervalMs, () => this.#sayAgain())
  }

  /** Who reads the book, by the id that each has for as long as its connection. Empty without a connection, and where this client has said nothing. */
  in(book: string): ReadonlyMap<number, PresentReader> {
    return this.#readers.get(book) ?? new Map()
  }

  connected(): void {
    this.#id = Math.floor(this.#clock.random() * 2 ** 32)
    this.#sayAgain()
  }

  disconnected(): void {
    this.#id = undefined
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const books = [...this.#readers.keys()]
    this.#readers.clear()
    for (const book of books) this.#events.emit('presence', book)
  }

  /** @throws SyntaxError when the hub tells a state that is no JSON */
  received({ book, readers }: FrameFields<'present'>): void {
    if (!this.#own.has(book)) return
    const known = this.#readers.get(book) ?? new Map<number, PresentReader>()
    this.#readers.set(book, known)
    for (const [id, device, state] of readers)
      if (state === '') known.delete(id)
      else known.set(id, { device, state: JSON.parse(state) as PresenceState, isSelf: id === this.#id })
    this.#events.emit('presence', book)
  }

  #sayAgain(): void {
    this.#cancelTimer = undefined
    const id = this.#id
    if (id === undefined || this.#own.size === 0) return
    for (const [book, state] of this.#own) this.#send({ book, id, state })
    this.#cancelTimer = this.#clock.after(LIMITS.presenceIntervalMs, () => this.#sayAgain())
  }
}
