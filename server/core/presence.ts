import { HubError, LIMITS } from '../../protocol/index.ts'
import type { Clock } from './ports.ts'

/** Ids that one seat may speak for: one for each tab that shares its connection. */
const MAX_OWN_IDS = 8
/** Ids that one book has at a time, whoever speaks for them. */
const MAX_BOOK_IDS = 4_096
/** News of one book goes out at most once in this time, so that whoever types fast costs the others no more. */
const GATHER_MS = 50
const SWEEP_MS = 5_000
/** Readers that are told of in one word: with the longest states it still fits into a frame, and a provider that says it again is within what it may say. */
const MAX_TOLD = 32
/** So many words of one book are kept for a listener that takes nothing. */
const MAX_MISSED = 4_096
/** A state as it is told: numbers and characters may take more room in the hub's JSON, and there is the device. */
const MAX_TOLD_LENGTH = 2 * LIMITS.maxPresenceLength

/** One reader in one book, now. */
export interface Presence {
  /** Yjs's id of it, unique in the book. */
  readonly id: number
  /** Rises with each word of it. */
  readonly clock: number
  /** The device that it speaks for, by the hub's own knowledge. */
  readonly device: string
  /** Its own word of itself, as a JSON object; undefined when it has left. */
  readonly state: string | undefined
}

interface Held extends Presence {
  readonly seat: Seat
  seenAtMs: number
}

/** A book that somebody is present in. */
interface Room {
  readonly seats: Set<Seat>
  readonly held: Map<number, Held>
  /** By `keyOf`. */
  readonly news: Map<string, Presence>
  isGathering: boolean
}

/** Somebody who is told of the readers of a book. */
export interface PresenceListener {
  /** It takes nothing now. What it misses is told later, as it is then: by `Seat.tellMissed`. */
  isFull(): boolean
  /** Tells of every reader that came, moved or left, itself included. Listeners that take everything are given one and the same array. */
  onPresence(news: readonly Presence[]): void
}

/**
 * Who reads which book of an account, where, on which device, now. Nothing of it is stored.
 *
 * Every id belongs to the seat that first spoke for it, until that leaves: so nobody speaks for another.
 */
export class Presences {
  readonly #clock: Clock
  readonly #rooms = new Map<string, Room>()
  #isSweeping = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes a seat in a book: who is there is the first that it is told. */
  join(book: string, device: string, listener: PresenceListener): Seat {
    let room = this.#rooms.get(book)
    if (room === undefined)
      this.#rooms.set(book, (room = { seats: new Set(), held: new Map(), news: new Map(), isGathering: false }))
    const seat = new Seat(this, book, device, listener)
    room.seats.add(seat)
    if (room.held.size > 0) this.#gather(room)
    if (!this.#isSweeping) this.#sweepLater()
    return seat
  }

  /** Everyone in a book. */
  list(book: string): Presence[] {
    return [...(this.#rooms.get(book)?.held.values() ?? [])]
  }

  /**
   * @internal A seat says something of one of its ids. What it says of others' ids, or out of order, is passed over: providers repeat what they hear.
   * @throws HubError `bad-request` when the state is too long or no JSON object, or nothing could follow the clock
   */
  say(seat: Seat, id: number, clock: number, state: string | undefined): void {
    const room = this.#rooms.get(seat.book)!
    const held = room.held.get(id)
    if (held !== undefined && (held.seat !== seat || clock < held.clock)) return
    if (held !== undefined && clock === held.clock && state !== undefined) {
      held.seenAtMs = this.#clock.nowMs()
      return
    }
    const isFull = seat.ids.size >= MAX_OWN_IDS || room.held.size >= MAX_BOOK_IDS
    if (held === undefined && (state === undefined || isFull)) return
    // Whoever leaves without a word is told to be gone with the clock after its last.
    if (clock === Number.MAX_SAFE_INTEGER)
      throw new HubError('bad-request', 'a clock rises by one with each word', { field: 'clock' })
    const said = { id, clock, device: seat.device, state: state === undefined ? undefined : signed(state, seat.device) }
    if (said.state === undefined) {
      room.held.delete(id)
      seat.ids.delete(id)
    } else {
      room.held.set(id, { ...said, seat, seenAtMs: this.#clock.nowMs() })
      seat.ids.add(id)
    }
    this.#tell(room, said)
  }

  /** @internal */
  leave(seat: Seat): void {
    const room = this.#rooms.get(seat.book)
    if (room === undefined || !room.seats.delete(seat)) return
    for (const id of seat.ids) this.#drop(room, room.held.get(id)!)
    if (room.seats.size === 0) this.#rooms.delete(seat.book)
  }

  #drop(room: Room, { id, clock, device, seat }: Held): void {
    room.held.delete(id)
    seat.ids.delete(id)
    this.#tell(room, { id, clock: clock + 1, device, state: undefined })
  }

  #tell(room: Room, said: Presence): void {
    room.news.set(keyOf(said.id), said)
    this.#gather(room)
  }

  #gather(room: Room): void {
    if (room.isGathering) return
    room.isGathering = true
    this.#clock.setTimer(GATHER_MS, () => {
      room.isGathering = false
      const news = [...room.news.values()]
      room.news.clear()
      for (const part of inParts(news)) for (const seat of room.seats) seat.tell(part)
      for (const seat of room.seats) seat.tellMissed()
    })
  }

  #sweep(): void {
    const beforeMs = this.#clock.nowMs() - LIMITS.presenceTimeoutMs
    for (const room of this.#rooms.values())
      for (const held of room.held.values()) if (held.seenAtMs < beforeMs) this.#drop(room, held)
    this.#isSweeping = false
    if (this.#rooms.size > 0) this.#sweepLater()
  }

  #sweepLater(): void {
    this.#isSweeping = true
    this.#clock.setTimer(SWEEP_MS, () => this.#sweep())
  }
}

/** A place in a book, from which a connection speaks and hears. */
export class Seat {
  readonly book: string
  readonly device: string
  /** The ids that it speaks for. */
  readonly ids = new Set<number>()
  readonly #presences: Presences
  readonly #listener: PresenceListener
  /** The newest of each id that it was not told, by `keyOf`. */
  readonly #missed = new Map<string, Presence>()

  /** @internal */
  constructor(presences: Presences, book: string, device: string, listener: PresenceListener) {
    this.#presences = presences
    this.book = book
    this.device = device
    this.#listener = listener
    this.#missAll()
  }

  /**
   * @param state a JSON object; undefined says that it leaves
   * @throws HubError `bad-request`
   */
  say(id: number, clock: number, state: string | undefined): void {
    this.#presences.say(this, id, clock, state)
  }

  /** The listener asks who is in the book: it is told of everyone, as soon as it takes it. */
  tellAll(): void {
    this.#missAll()
    this.tellMissed()
  }

  /** @internal */
  tell(news: readonly Presence[]): void {
    if (this.#missed.size === 0 && !this.#listener.isFull()) return this.#listener.onPresence(news)
    for (const presence of news) {
      // That somebody left is noticed by the silence, too.
      if (presence.state === undefined && this.#missed.size >= MAX_MISSED) this.#missed.delete(keyOf(presence.id))
      else this.#missed.set(keyOf(presence.id), presence)
    }
  }

  /** The listener may be able to take something again. */
  tellMissed(): void {
    for (const part of inParts([...this.#missed.values()])) {
      if (this.#listener.isFull()) return
      for (const { id } of part) this.#missed.delete(keyOf(id))
      this.#listener.onPresence(part)
    }
  }

  leave(): void {
    this.#presences.leave(this)
  }

  #missAll(): void {
    for (const presence of this.#presences.list(this.book)) this.#missed.set(keyOf(presence.id), presence)
  }
}

/** A key that V8 hashes with a secret, where many ids may come: numbers can be chosen to share a hash. */
const keyOf = (id: number): string => `id ${id}`

function* inParts(news: readonly Presence[]): Generator<readonly Presence[]> {
  for (let at = 0; at < news.length; at += MAX_TOLD) yield news.slice(at, at + MAX_TOLD)
}

/** A state with the device that it comes from, whatever it said of that itself. @throws HubError `bad-request` */
function signed(state: string, device: string): string {
  let value: unknown
  if (state.length <= LIMITS.maxPresenceLength)
    try {
      value = JSON.parse(state)
    } catch {
      value = undefined
    }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HubError('bad-request', `a state is a JSON object of at most ${LIMITS.maxPresenceLength} characters`, {
      field: 'state'
    })
  const told = JSON.stringify({ ...value, device })
  if (told.length > MAX_TOLD_LENGTH)
    throw new HubError('bad-request', `a state written out as JSON has at most ${MAX_TOLD_LENGTH} characters`, { field: 'state' })
  return told
}
