import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { writePermissionDenied } from 'y-protocols/auth'
import { messageYjsSyncStep1 as STEP_1, messageYjsSyncStep2 as STEP_2, messageYjsUpdate as UPDATE } from 'y-protocols/sync'
import { HubError, type Connection } from '../../../protocol/index.ts'
import { Intake } from '../intake.ts'
import { Origin } from '../origin.ts'
import type { LiveSession, SessionHost } from '../session.ts'
import { decodeAwareness, encodeAwareness } from './awareness.ts'
import { DocumentSession, type Outlet } from './document-session.ts'
import { bookOf, closeCodeOf, isForGood, KEEP_ALIVE_MS } from './door.ts'

/** The kinds of message. @see y-websocket, PROTOCOL.md of y-protocols */
const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const QUERY_AWARENESS = 3

/** Whom a provider says that it is, and what it wants, in the address that it connects to. */
export interface YjsRequest {
  /** What stands behind the door's path, such as `book/moby-dick`. */
  readonly name: string
  readonly token: string
}

/** A `y-websocket` provider on one connection, which opens one book's annotation document: one message in each frame, both ways. */
export class YWebsocketSession implements LiveSession {
  readonly #connection: Connection
  readonly #host: SessionHost
  readonly #intake: Intake
  readonly #opening: Promise<void>
  #document: DocumentSession | undefined
  #cancelKeepAlive: () => void
  #isClosed = false

  constructor(connection: Connection, host: SessionHost, request: YjsRequest) {
    this.#connection = connection
    this.#host = host
    this.#intake = new Intake({
      connection,
      clock: host.clock,
      handle: bytes => (this.#document === undefined ? this.#handleLater(bytes) : this.#handle(this.#document, bytes)),
      onFault: error => this.#fault(error),
      onHeldUp: () => undefined
    })
    connection.listen({
      onFrame: bytes => this.#intake.receive(bytes),
      onDrain: () => {
        void this.#document?.drained()
        this.#intake.goOn()
      },
      onClose: () => this.#leave()
    })
    this.#cancelKeepAlive = this.#keepAlive()
    this.#opening = this.#open(request)
    this.#opening.catch((error: unknown) => this.#fault(error))
  }

  end(error: HubError): void {
    if (this.#isClosed) return
    // Older providers come back whatever the code is; this they at least report.
    if (isForGood(error)) this.#send(denied(error.message))
    this.#connection.close(closeCodeOf(error), error.code)
    this.#leave()
  }

  async #open({ name, token }: YjsRequest): Promise<void> {
    const { account, device, readOnly, refusal } = await this.#host.authenticate(token)
    const book = bookOf(name)
    if (book === undefined) throw new HubError('not-found', 'a document is called book/ and the id of a book')
    if (this.#isClosed) return
    const origin = new Origin(device, '', readOnly ? 'reader' : 'writer')
    const document = await DocumentSession.open({
      account,
      refusal,
      origin,
      book,
      outlet: this.#outlet(),
      clock: this.#host.clock
    })
    if (this.#isClosed) document.close()
    else this.#document = document
  }

  async #handleLater(bytes: Uint8Array): Promise<void> {
    await this.#opening
    if (this.#document !== undefined) await this.#handle(this.#document, bytes)
  }

  #handle(document: DocumentSession, bytes: Uint8Array): Promise<void> | undefined {
    const message = decode(bytes)
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
        this.#send(framed(AWARENESS, encodeAwareness(document.present())))
    }
    return undefined
  }

  #outlet(): Outlet {
    const connection = this.#connection
    return {
      get bufferedBytes() {
        return connection.bufferedBytes
      },
      askSince: stateVector => this.#send(framed(SYNC, stateVector, STEP_1)),
      answer: update => this.#send(framed(SYNC, update, STEP_2)),
      update: update => this.#send(updateMessage(update), true),
      presence: news => this.#send(framed(AWARENESS, encodeAwareness(news))),
      // The update that comes back is the word for it.
      saved: () => undefined,
      end: error => this.end(error)
    }
  }

  /** Says that nobody has moved. */
  #keepAlive(): () => void {
    return this.#host.clock.setTimer(KEEP_ALIVE_MS, () => {
      this.#send(framed(AWARENESS, encodeAwareness([])))
      this.#cancelKeepAlive = this.#keepAlive()
    })
  }

  #send(bytes: Uint8Array, mayWait?: boolean): void {
    if (!this.#isClosed) this.#connection.send(bytes, mayWait)
  }

  #fault(error: unknown): void {
    if (error instanceof HubError) return this.end(error)
    this.#host.logger.error({ err: error }, 'a Yjs session failed')
    this.end(new HubError('internal'))
  }

  #leave(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelKeepAlive()
    this.#intake.close()
    this.#document?.close()
    this.#host.closed(this)
  }
}

const updateMessages = new WeakMap<Uint8Array, Uint8Array>()

/** An update goes to many readers: its message is made once. */
function updateMessage(update: Uint8Array): Uint8Array {
  let message = updateMessages.get(update)
  if (message === undefined) updateMessages.set(update, (message = framed(SYNC, update, UPDATE)))
  return message
}

/** `kind [step] length bytes` */
function framed(kind: number, bytes: Uint8Array, step?: number): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, kind)
  if (step !== undefined) encoding.writeVarUint(encoder, step)
  encoding.writeVarUint8Array(encoder, bytes)
  return encoding.toUint8Array(encoder)
}

function denied(reason: string): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, AUTH)
  writePermissionDenied(encoder, reason)
  return encoding.toUint8Array(encoder)
}

type Message =
  { readonly kind: 'since' | 'state' | 'update' | 'awareness'; readonly bytes: Uint8Array } | { readonly kind: 'query' }

/** @throws HubError `bad-frame` */
function decode(bytes: Uint8Array): Message {
  try {
    const decoder = decoding.createDecoder(bytes)
    const kind = decoding.readVarUint(decoder)
    if (kind === QUERY_AWARENESS) return { kind: 'query' }
    if (kind === AWARENESS) return { kind: 'awareness', bytes: decoding.readVarUint8Array(decoder) }
    if (kind !== SYNC) throw new Error(`kind ${kind}`)
    const step = decoding.readVarUint(decoder)
    const rest = decoding.readVarUint8Array(decoder)
    if (step === STEP_1) return { kind: 'since', bytes: rest }
    if (step === STEP_2) return { kind: 'state', bytes: rest }
    if (step === UPDATE) return { kind: 'update', bytes: rest }
    throw new Error(`step ${step}`)
  } catch {
    throw new HubError('bad-frame', 'the bytes are no message of y-websocket')
  }
}
