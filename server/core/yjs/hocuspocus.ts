import * as decoding from 'lib0/decoding'
import { HubError, LIMITS } from '../../../protocol/index.ts'
import { Origin } from '../origin.ts'
import { permits } from '../policy.ts'
import type { HubConnection } from '../ports.ts'
import type { SessionHost } from '../session.ts'
import { DocumentSession, type Outlet } from './document-session.ts'
import {
  AUTH,
  bookOf,
  encoded,
  handleDocumentMessage,
  isForGood,
  outletTo,
  readDocumentMessage,
  type DocumentMessage
} from './messages.ts'
import { ProviderSession } from './provider-session.ts'

/** The kinds of message that only this wire has. @see @hocuspocus/provider, types.ts */
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
export class HocuspocusSession extends ProviderSession {
  readonly #open = new Map<string, DocumentSession>()
  readonly #cancelSilenceTimer: () => void

  constructor(connection: HubConnection, host: SessionHost) {
    super(connection, host)
    this.#cancelSilenceTimer = host.clock.setTimer(LIMITS.helloTimeoutMs, () => this.end(new HubError('hello-timeout')))
  }

  protected override documents(): readonly DocumentSession[] {
    return [...this.#open.values()]
  }

  protected override keepAliveMessage(): Uint8Array {
    return Uint8Array.of(PING)
  }

  protected override leave(): void {
    this.#cancelSilenceTimer()
    super.leave()
  }

  protected override handle(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length === 1) {
      if (bytes[0] === PING) this.send(Uint8Array.of(PONG))
      else if (bytes[0] !== PONG) throw notUnderstood()
      return undefined
    }
    const { name, message } = decode(bytes)
    if (message.kind === 'token') return this.#letIn(name, message.token)
    const document = this.#open.get(name)
    // What was on its way when the document was closed.
    if (document === undefined || message.kind === 'nothing') return undefined
    if (message.kind !== 'close') return handleDocumentMessage(document, message)
    this.#drop(name)
    this.send(encoded(name, [CLOSE], 'closed'))
    return undefined
  }

  async #letIn(name: string, token: string): Promise<void> {
    this.#drop(name)
    try {
      const { account, device, actor, refusal } = await this.host.authenticate(token)
      const book = bookOf(name.split('\0')[0]!)
      if (this.#open.size >= MAX_DOCUMENTS)
        throw new HubError('forbidden', `one connection opens at most ${MAX_DOCUMENTS} documents`)
      if (this.isClosed) return
      this.#cancelSilenceTimer()
      this.send(encoded(name, [AUTH, AUTHENTICATED], permits(actor, 'annotation.update') ? 'read-write' : 'readonly'))
      const origin = new Origin(device, '', actor)
      const { clock, largeDocuments } = this.host
      const outlet = this.#outlet(name)
      const session = await DocumentSession.open({ account, refusal, origin, book, outlet, clock, largeDocuments })
      if (this.isClosed) session.close()
      // It may have been ended by itself, with its device, while it opened.
      else if (!session.isClosed) this.#open.set(name, session)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      this.#endDocument(name, error)
    }
  }

  #outlet(name: string): Outlet {
    return outletTo({
      connection: this.connection,
      send: (message, mayWait) => this.send(message, mayWait),
      name,
      saved: isSaved => this.send(encoded(name, [SYNC_STATUS, isSaved ? 1 : 0], '')),
      end: error => this.#endDocument(name, error)
    })
  }

  /** Ends one document for good, or the whole connection when the provider is to come back. */
  #endDocument(name: string, error: HubError): void {
    this.#drop(name)
    const isFinal = isForGood(error)
    if (isFinal) this.send(encoded(name, [AUTH, PERMISSION_DENIED], error.message))
    if (!isFinal || this.#open.size === 0) this.end(error)
  }

  #drop(name: string): void {
    this.#open.get(name)?.close()
    this.#open.delete(name)
  }
}

const notUnderstood = (): HubError => new HubError('bad-frame', 'the bytes are no message of Hocuspocus')

type Message =
  DocumentMessage | { readonly kind: 'token'; readonly token: string } | { readonly kind: 'close' } | { readonly kind: 'nothing' }

/** @throws HubError `bad-frame` */
function decode(bytes: Uint8Array): { name: string; message: Message } {
  try {
    const decoder = decoding.createDecoder(bytes)
    const name = decoding.readVarString(decoder)
    if (name.length > MAX_NAME_LENGTH) throw notUnderstood()
    return { name, message: readMessage(decoder) }
  } catch {
    throw notUnderstood()
  }
}

function readMessage(decoder: decoding.Decoder): Message {
  const kind = decoding.readVarUint(decoder)
  switch (kind) {
    case AUTH:
      if (decoding.readVarUint(decoder) !== TOKEN) throw notUnderstood()
      return { kind: 'token', token: decoding.readVarString(decoder) }
    case CLOSE:
      return { kind: 'close' }
    case STATELESS:
      return { kind: 'nothing' }
  }
  const message = readDocumentMessage(kind, decoder)
  if (message === undefined) throw notUnderstood()
  return message
}
