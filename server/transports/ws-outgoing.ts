import type { Duplex } from 'node:stream'

/** The first byte of a whole binary message (RFC 6455, section 5.2). */
const BINARY = 0x82
const LENGTH_16 = 126
const LENGTH_64 = 127
/** Up to here a copy costs less than a second piece in the same write. */
const MAX_COPIED_BYTES = 16_384

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

  write(): void {
    const messages = this.#messages
    this.#isUrgent = false
    if (messages === undefined) return
    this.#messages = undefined
    const size = this.#bytes
    this.#bytes = 0
    if (!this.#isOpen()) return
    if (size <= MAX_COPIED_BYTES) this.#socket.write(this.#writer.framed(messages))
    else {
      this.#socket.cork()
      for (const message of messages) {
        // A short one may be a piece of a larger block, which would stay for as long as a slow reader leaves it.
        if (message.length <= MAX_COPIED_BYTES) this.#socket.write(joined([message]))
        else {
          this.#socket.write(head(message.length))
          this.#socket.write(message)
        }
      }
      this.#socket.uncork()
    }
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
    at = writeHead(bytes, at, message.length)
    bytes.set(message, at)
    at += message.length
  }
  return bytes
}

function head(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes(length))
  writeHead(bytes, 0, length)
  return bytes
}

const headBytes = (length: number): number => (length < LENGTH_16 ? 2 : length < 65_536 ? 4 : 10)

/** @returns where the message begins */
function writeHead(target: Buffer, at: number, length: number): number {
  target[at] = BINARY
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
