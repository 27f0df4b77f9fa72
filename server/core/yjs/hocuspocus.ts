import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { messageYjsSyncStep1 as STEP_1, messageYjsSyncStep2 as STEP_2, messageYjsUpdate as UPDATE } from 'y-protocols/sync'
import { HubError, LIMITS, type Connection } from '../../../protocol/index.ts'
import { Intake } from '../intake.ts'
import { Origin } from '../origin.ts'
import type { LiveSession, SessionHost } from '../session.ts'
import { decodeAwareness, encodeAwareness } from './awareness.ts'
import { DocumentSession, type Outlet } from './document-session.ts'
import { bookOf, closeCodeOf, isForGood, KEEP_ALIVE_MS } from './door.ts'

/** The kinds of message. @see @hocuspocus/provider, types.ts */
const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const QUERY_AWARENESS = 3
const STATELESS = 5
const CLOSE = 7
const SYNC_STATUS = 8
const PING = 9
const PONG = 10
const TOKEN = 0
const PERMISSION_DENIED = 1
const AUTHENTICATED = 2

const MAX_DOCUMENTS = 64
/** Every message to the provider begins with the name. The longest id of a book fits, with each character written as percents, and what stands behind the zero byte. */
const MAX_NAME_LENGTH = 2_048

/**
 * `@hocuspocus/provider` on one connection, which opens any number of books' annotation documents, each with a token of its own. Every message begins with
 * the name of its document: `book/` and the book's id, and behind a zero byte what tells two providers of one document apart.
 */
export class HocuspocusSession implements LiveSession {
  readonly #connection: Connection
  readonly #host: SessionHost
  readonly #intake: Intake
  readonly #documents = new Map<string, DocumentSession>()
  #cancelSilenceTimer: () => void
  #cancelKeepAlive: () => void
  #hasDrained = false
  #isCatchingUp = false
  #isClosed = false

  constructor(connection: Connection, host: SessionHost) {
    this.#connection = connection
    this.#host = host
    this.#intake = new Intake({
      connection,
      clock: host.clock,
      handle: bytes => this.#handle(bytes),
      onFault: error => this.#fault(error),
      onHeldUp: () => undefined
    })
    connection.listen({
      onFrame: bytes => this.#intake.receive(bytes),
      onDrain: () => {
        void this.#catchUp()
        this.#intake.goOn()
      },
      onClose: () => this.#leave()
    })
    this.#cancelSilenceTimer = host.clock.setTimer(LIMITS.helloTimeoutMs, () => this.end(new HubError('hello-timeout')))
    this.#cancelKeepAlive = this.#keepAlive()
  }

  end(error: HubError): void {
    if (this.#isClosed) return
    this.#connection.close(closeCodeOf(error), error.code)
    this.#leave()
  }

  #handle(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length === 1) {
      if (bytes[0] === PING) this.#send(Uint8Array.of(PONG))
      else if (bytes[0] !== PONG) throw notUnderstood()
      return undefined
    }
    const { name, message } = decode(bytes)
    if (message.kind === 'token') return this.#open(name, message.token)
    const document = this.#documents.get(name)
    // What was on its way when the document was closed.
    if (document === undefined) return undefined
    switch (message.kind) {
      case 'since':
        return document.give(message.bytes)
      case 'state':
      case 'update':
        return document.take(message.bytes, message.kind === 'state')
      case 'awareness':
        for (const { id, clock, state } of decodeAwareness(message.bytes)) document.say(id, clock, state)
        break
      case 'query':
        this.#send(framed(name, AWARENESS, encodeAwareness(document.present())))
        break
      case 'close':
        this.#drop(name)
        this.#send(worded(name, CLOSE, undefined, 'closed'))
        break
      case 'nothing':
    }
    return undefined
  }

  async #open(name: string, token: string): Promise<void> {
    this.#drop(name)
    try {
      const { account, device, readOnly, refusal } = await this.#host.authenticate(token)
      const book = bookOf(name.split('\0')[0]!)
      if (book === undefined) throw new HubError('not-found', 'a document is called book/ and the id of a book')
      if (this.#documents.size >= MAX_DOCUMENTS)
        throw new HubError('forbidden', `one connection opens at most ${MAX_DOCUMENTS} documents`)
      if (this.#isClosed) return
      this.#cancelSilenceTimer()
      this.#send(worded(name, AUTH, AUTHENTICATED, readOnly ? 'readonly' : 'read-write'))
      const origin = new Origin(device, '', readOnly ? 'reader' : 'writer')
      const outlet = this.#outlet(name)
      const document = await DocumentSession.open({ account, refusal, origin, book, outlet, clock: this.#host.clock })
      if (this.#isClosed) document.close()
      // It may have been ended by itself, with its device, while it opened.
      else if (!document.isClosed) this.#documents.set(name, document)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      this.#endDocument(name, error)
    }
  }

  #outlet(name: string): Outlet {
    const connection = this.#connection
    return {
      get bufferedBytes() {
        return connection.bufferedBytes
      },
      askSince: stateVector => this.#send(framed(name, SYNC, stateVector, STEP_1)),
      answer: update => this.#send(framed(name, SYNC, update, STEP_2)),
      update: update => this.#send(updateMessage(update, name), true),
      presence: news => this.#send(framed(name, AWARENESS, encodeAwareness(news))),
      saved: isSaved => this.#send(status(name, isSaved)),
      end: error => this.#endDocument(name, error)
    }
  }

  /** Ends one document for good, or the whole connection when the provider is to come back. */
  #endDocument(name: string, error: HubError): void {
    this.#drop(name)
    const isFinal = isForGood(error)
    if (isFinal) this.#send(worded(name, AUTH, PERMISSION_DENIED, error.message))
    if (!isFinal || this.#documents.size === 0) this.end(error)
  }

  /** Gives the documents what they missed, one after the other: each looks whether there is room left for it. */
  async #catchUp(): Promise<void> {
    this.#hasDrained = true
    if (this.#isCatchingUp) return
    this.#isCatchingUp = true
    while (this.#hasDrained) {
      this.#hasDrained = false
      for (const document of this.#documents.values()) await document.drained()
    }
    this.#isCatchingUp = false
  }

  #drop(name: string): void {
    this.#documents.get(name)?.close()
    this.#documents.delete(name)
  }

  #keepAlive(): () => void {
    return this.#host.clock.setTimer(KEEP_ALIVE_MS, () => {
      this.#send(Uint8Array.of(PING))
      this.#cancelKeepAlive = this.#keepAlive()
    })
  }

  #send(bytes: Uint8Array, mayWait?: boolean): void {
    if (!this.#isClosed) this.#connection.send(bytes, mayWait)
  }

  #fault(error: unknown): void {
    if (error instanceof HubError) return this.end(error)
    this.#host.logger.error({ err: error }, 'a Hocuspocus session failed')
    this.end(new HubError('internal'))
  }

  #leave(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelSilenceTimer()
    this.#cancelKeepAlive()
    this.#intake.close()
    for (const document of this.#documents.values()) document.close()
    this.#host.closed(this)
  }
}

const notUnderstood = (): HubError => new HubError('bad-frame', 'the bytes are no message of Hocuspocus')

const updateMessages = new WeakMap<Uint8Array, { readonly name: string; readonly message: Uint8Array }>()

/** An update goes to many, most of whom call the document the same: its message is made once. */
function updateMessage(update: Uint8Array, name: string): Uint8Array {
  const made = updateMessages.get(update)
  if (made?.name === name) return made.message
  const message = framed(name, SYNC, update, UPDATE)
  updateMessages.set(update, { name, message })
  return message
}

/** `name kind [step] length bytes` */
function framed(name: string, kind: number, bytes: Uint8Array, step?: number): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarString(encoder, name)
  encoding.writeVarUint(encoder, kind)
  if (step !== undefined) encoding.writeVarUint(encoder, step)
  encoding.writeVarUint8Array(encoder, bytes)
  return encoding.toUint8Array(encoder)
}

/** `name kind [step] words` */
function worded(name: string, kind: number, step: number | undefined, words: string): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarString(encoder, name)
  encoding.writeVarUint(encoder, kind)
  if (step !== undefined) encoding.writeVarUint(encoder, step)
  encoding.writeVarString(encoder, words)
  return encoding.toUint8Array(encoder)
}

function status(name: string, isSaved: boolean): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarString(encoder, name)
  encoding.writeVarUint(encoder, SYNC_STATUS)
  encoding.writeVarInt(encoder, isSaved ? 1 : 0)
  return encoding.toUint8Array(encoder)
}

type Message =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'since' | 'state' | 'update' | 'awareness'; readonly bytes: Uint8Array }
  | { readonly kind: 'query' | 'close' | 'nothing' }

const SYNC_STEPS = { [STEP_1]: 'since', [STEP_2]: 'state', [UPDATE]: 'update' } as const

/** @throws HubError `bad-frame` */
function decode(bytes: Uint8Array): { name: string; message: Message } {
  try {
    const decoder = decoding.createDecoder(bytes)
    const name = decoding.readVarString(decoder)
    if (name.length > MAX_NAME_LENGTH) throw notUnderstood()
    return { name, message: decodeMessage(decoder) }
  } catch {
    throw notUnderstood()
  }
}

function decodeMessage(decoder: decoding.Decoder): Message {
  const kind = decoding.readVarUint(decoder)
  switch (kind) {
    case SYNC: {
      const step = SYNC_STEPS[decoding.readVarUint(decoder) as keyof typeof SYNC_STEPS]
      if (step === undefined) throw notUnderstood()
      return { kind: step, bytes: decoding.readVarUint8Array(decoder) }
    }
    case AWARENESS:
      return { kind: 'awareness', bytes: decoding.readVarUint8Array(decoder) }
    case AUTH:
      if (decoding.readVarUint(decoder) !== TOKEN) throw notUnderstood()
      return { kind: 'token', token: decoding.readVarString(decoder) }
    case QUERY_AWARENESS:
      return { kind: 'query' }
    case CLOSE:
      return { kind: 'close' }
    case STATELESS:
      return { kind: 'nothing' }
    default:
      throw notUnderstood()
  }
}
