import { randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'

/** First bytes of frames (RFC 6455, section 5.2): the bit of a message's last one, and what it is. */
const FINAL = 0x80
const CONTINUATION = 0x00
const BINARY = 0x02
const PING = 0x09
const LENGTH_16 = 126
const LENGTH_64 = 127
/** Up to here a copy costs less than a second piece in the same write. */
const MAX_COPIED_BYTES = 16_384

/** A longer message goes in frames of about so much. */
const FRAGMENT_BYTES = 98_304
/**
 * So far apart stand pings in what is sent, in the midst of long messages too: their answers tell how far the other end has read. The system, and proxies, take megabytes ahead of a
 * slow reader, and then nothing for as long as it takes to read those.
 */
const ASK_EVERY_BYTES = 65_536
/** Unanswered pings. A client of `ws` ends the connection when 60 of its answers have not left. */
const MAX_ASKED = 48
/** What such a ping holds: nobody who has not read so far knows it. */
const ASKED_BYTES = 4

/** A round of telling that took less is not followed by a rest: timers are no finer. */
const SHORT_ROUND_MS = 0.5
/** The rest after a round of telling, in times of what the round took: so much of the time is left for what comes in. */
const REST_PER_ROUND = 4
/** Nobody is to see that something waited. */
const MAX_REST_MS = 20
/** At most this waits for a connection while the writer rests: the message that goes over it takes all along. */
const MAX_WAITING_BYTES = 65_536

/** Time as a writer needs it: in milliseconds that never go back. */
export interface WriterClock {
  nowMs(): number
  setTimer(delayMs: number, task: () => void): void
}

const machineClock: WriterClock = {
  nowMs: () => performance.now(),
  setTimer: (delayMs, task) => void setTimeout(task, delayMs)
}

/**
 * Writes what connections were given: each has one write for all that one turn of the event loop had for it, as the system call costs more than the bytes.
 *
 * Messages that may wait are written in rounds, with a rest behind each that took long. So the more connections listen and the busier the hub is, the more of such messages share
 * a write; with few listeners, or after a quiet moment, none waits at all.
 */
export class TurnWriter {
  readonly #clock: WriterClock
  #urgent: Outgoing[] = []
  #patient: Outgoing[] = []
  #isScheduled = false
  #isResting = false
  #lastMessages: readonly Uint8Array[] = []
  #lastFrames: Buffer = Buffer.alloc(0)
  readonly #turnEnds = (): void => {
    this.#isScheduled = false
    const urgent = this.#urgent
    this.#urgent = []
    for (const outgoing of urgent) outgoing.write()
    if (!this.#isResting && this.#patient.length > 0) this.#tell()
  }

  constructor(clock = machineClock) {
    this.#clock = clock
  }

  /** Short messages as frames. The same ones go to many, one connection after the other: they are framed once. */
  framed(messages: readonly Uint8Array[]): Buffer {
    if (!areSame(messages, this.#lastMessages)) {
      this.#lastFrames = joined(messages)
      this.#lastMessages = messages
    }
    return this.#lastFrames
  }

  /** Has `outgoing.write` called before the event loop goes on; or, of what may wait, in the next round. */
  schedule(outgoing: Outgoing, mayWait: boolean): void {
    const queue = mayWait ? this.#patient : this.#urgent
    queue.push(outgoing)
    if (this.#isScheduled || (mayWait && this.#isResting)) return
    this.#isScheduled = true
    process.nextTick(this.#turnEnds)
  }

  #tell(): void {
    const patient = this.#patient
    this.#patient = []
    const startedMs = this.#clock.nowMs()
    for (const outgoing of patient) outgoing.write()
    const tookMs = this.#clock.nowMs() - startedMs
    if (tookMs < SHORT_ROUND_MS) return
    this.#isResting = true
    this.#clock.setTimer(Math.min(MAX_REST_MS, tookMs * REST_PER_ROUND), () => {
      this.#isResting = false
      if (this.#patient.length > 0) this.#tell()
    })
  }
}

/** The messages of one connection that have not left yet, as unmasked frames of the WebSocket protocol. */
export class Outgoing {
  readonly #socket: Duplex
  readonly #writer: TurnWriter
  readonly #isOpen: () => boolean
  /** Undefined rather than empty: a list that waits would be promoted to V8's old generation, and messages with it. */
  #messages: Uint8Array[] | undefined
  #bytes = 0
  /** Whether it has asked to be written at the end of the turn. */
  #isUrgent = false
  /** Written behind the last ping. */
  #unaskedBytes = 0
  /** What the unanswered pings hold, in order. */
  #asked: number[] | undefined

  /** @param isOpen false once a close frame was sent, behind which nothing may follow (RFC 6455, section 5.5.1) */
  constructor(socket: Duplex, writer: TurnWriter, isOpen: () => boolean) {
    this.#socket = socket
    this.#writer = writer
    this.#isOpen = isOpen
  }

  /** What was not written yet. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * @param message MUST NOT change afterwards
   * @param mayWait it may go later, together with others; what follows it and may not takes it along
   */
  add(message: Uint8Array, mayWait = false): void {
    const isFirst = this.#messages === undefined
    // A list that is made with what it holds has no room to spare; most hold one.
    if (isFirst) this.#messages = [message]
    else this.#messages!.push(message)
    this.#bytes += message.length
    const isUrgent = !mayWait || this.#bytes > MAX_WAITING_BYTES
    if (isUrgent ? this.#isUrgent : !isFirst) return
    this.#isUrgent = isUrgent
    this.#writer.schedule(this, !isUrgent)
  }

  /** @returns whether a pong shows that the other end has read more of what was written */
  hasRead(pong: Buffer): boolean {
    const asked = this.#asked ?? []
    // Of several pings the last may be answered alone (RFC 6455, section 5.5.3).
    const index = pong.length === ASKED_BYTES ? asked.indexOf(pong.readUInt32BE()) : -1
    if (index === -1) return false
    this.#asked = index === asked.length - 1 ? undefined : asked.slice(index + 1)
    return true
  }

  write(): void {
    const messages = this.#messages
    this.#isUrgent = false
    if (messages === undefined) return
    this.#messages = undefined
    const size = this.#bytes
    this.#bytes = 0
    if (!this.#isOpen()) return
    if (size <= MAX_COPIED_BYTES) return this.#put(this.#writer.framed(messages))
    this.#socket.cork()
    for (const message of messages) {
      // A short one may be a piece of a larger block, which would stay for as long as a slow reader leaves it.
      if (message.length <= MAX_COPIED_BYTES) this.#put(joined([message]))
      else this.#putLong(message)
    }
    this.#socket.uncork()
  }

  #putLong(message: Uint8Array): void {
    const fragments = Math.max(1, Math.round(message.length / FRAGMENT_BYTES))
    const size = Math.ceil(message.length / fragments)
    for (let at = 0; at < message.length; at += size) {
      const piece = message.subarray(at, at + size)
      const isLast = at + size >= message.length
      this.#socket.write(head((isLast ? FINAL : 0) | (at === 0 ? BINARY : CONTINUATION), piece.length))
      this.#put(piece)
    }
  }

  /** Writes whole frames, or the content of one, and asks behind them when that is due. */
  #put(bytes: Uint8Array): void {
    this.#socket.write(bytes)
    this.#unaskedBytes += bytes.length
    if (this.#unaskedBytes < ASK_EVERY_BYTES) return
    this.#unaskedBytes = 0
    const asked = (this.#asked ??= [])
    if (asked.length === MAX_ASKED) return
    const answer = randomInt(2 ** 32)
    asked.push(answer)
    const ping = Buffer.from([FINAL | PING, ASKED_BYTES, 0, 0, 0, 0])
    ping.writeUInt32BE(answer, 2)
    this.#socket.write(ping)
  }
}

const areSame = (left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean =>
  left.length === right.length && left.every((message, index) => message === right[index])

/** Short messages, framed one behind the other. */
function joined(messages: readonly Uint8Array[]): Buffer {
  let size = 0
  for (const { length } of messages) size += headBytes(length) + length
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const message of messages) {
    at = writeHead(bytes, at, FINAL | BINARY, message.length)
    bytes.set(message, at)
    at += message.length
  }
  return bytes
}

function head(first: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes(length))
  writeHead(bytes, 0, first, length)
  return bytes
}

const headBytes = (length: number): number => (length < LENGTH_16 ? 2 : length < 65_536 ? 4 : 10)

/** @returns where the message begins */
function writeHead(target: Buffer, at: number, first: number, length: number): number {
  target[at] = first
  if (length < LENGTH_16) {
    target[at + 1] = length
    return at + 2
  }
  if (length < 65_536) {
    target[at + 1] = LENGTH_16
    return target.writeUInt16BE(length, at + 2)
  }
  target[at + 1] = LENGTH_64
  return target.writeBigUInt64BE(BigInt(length), at + 2)
}
