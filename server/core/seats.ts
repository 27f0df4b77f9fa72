import { encodeFrame, HubError, LIMITS } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import { HIGH_WATER_BYTES } from './log-reader.ts'
import type { Sender } from './sender.ts'
import type { Presence, Seat } from './presence.ts'

/** The books that a Lectern session is present in. */
export class Seats {
  readonly #account: Account
  readonly #device: string
  readonly #sender: Sender
  readonly #seats = new Map<string, Seat>()
  #clock = 0

  constructor(account: Account, device: string, sender: Sender) {
    this.#account = account
    this.#device = device
    this.#sender = sender
  }

  /**
   * Says where the session reads in a book. With its first word there it is told who else does.
   * @param id of the client's own choice, unique in the book
   * @param state a JSON object; empty when it leaves
   * @throws HubError `bad-request`
   */
  say(book: string, id: number, state: string): void {
    const seat = this.#seats.get(book)
    if (state !== '') (seat ?? this.#take(book)).say(id, ++this.#clock, state)
    else if (this.#seats.delete(book)) seat!.leave()
  }

  /** The connection has sent what it held. */
  drained(): void {
    for (const seat of this.#seats.values()) seat.tellMissed()
  }

  leave(): void {
    for (const seat of this.#seats.values()) seat.leave()
    this.#seats.clear()
  }

  #take(book: string): Seat {
    if (this.#seats.size >= LIMITS.maxPresenceBooks)
      throw new HubError('bad-request', `a client is present in at most ${LIMITS.maxPresenceBooks} books`, { field: 'book' })
    const sender = this.#sender
    const onPresence = (news: readonly Presence[]): void => sender.send(encodePresent(book, news))
    const isFull = (): boolean => sender.bufferedBytes >= HIGH_WATER_BYTES
    const seat = this.#account.presences.join(book, this.#device, { isFull, onPresence })
    this.#seats.set(book, seat)
    return seat
  }
}

const encoded = new WeakMap<readonly Presence[], Uint8Array>()

/** Once for all who are told the same. */
function encodePresent(book: string, news: readonly Presence[]): Uint8Array {
  let frame = encoded.get(news)
  if (frame === undefined) {
    frame = encodeFrame('present', { book, readers: news.map(({ id, device, state = '' }) => [id, device, state] as const) })
    encoded.set(news, frame)
  }
  return frame
}
