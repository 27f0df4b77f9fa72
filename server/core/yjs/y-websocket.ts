import * as decoding from 'lib0/decoding'
import { messagePermissionDenied as PERMISSION_DENIED } from 'y-protocols/auth'
import { HubError } from '../../../protocol/index.ts'
import { Origin } from '../origin.ts'
import type { HubConnection } from '../ports.ts'
import type { SessionHost } from '../session.ts'
import { DocumentSession, type Outlet } from './document-session.ts'
import {
  AUTH,
  AWARENESS,
  bookOf,
  encoded,
  handleDocumentMessage,
  isForGood,
  outletTo,
  readDocumentMessage,
  type DocumentMessage
} from './messages.ts'
import { ProviderSession } from './provider-session.ts'

/** Whom a provider says that it is, and what it wants, in the address that it connects to. */
export interface YjsRequest {
  /** What stands behind the path, such as `book/moby-dick`. */
  readonly name: string
  readonly token: string
}

/** Says that nobody has moved. */
const NOBODY_MOVED = encoded(undefined, [AWARENESS], Uint8Array.of(0))

/** A `y-websocket` provider on one connection, which opens one book's annotation document: one message in each frame, both ways. */
export class YWebsocketSession extends ProviderSession {
  readonly #opening: Promise<void>
  readonly #outlet: Outlet = outletTo({
    connection: this.connection,
    send: (message, mayWait) => this.send(message, mayWait),
    // The update that comes back is the word for it.
    saved: () => undefined,
    end: error => this.end(error)
  })
  #document: DocumentSession | undefined

  constructor(connection: HubConnection, host: SessionHost, request: YjsRequest) {
    super(connection, host)
    this.#opening = this.#open(request)
    this.#opening.catch((error: unknown) => this.fault(error))
  }

  override end(error: HubError): void {
    // Older providers come back whatever the code is; this they at least report.
    if (isForGood(error)) this.send(encoded(undefined, [AUTH, PERMISSION_DENIED], error.message))
    super.end(error)
  }

  protected override documents(): readonly DocumentSession[] {
    return this.#document === undefined ? [] : [this.#document]
  }

  protected override keepAliveMessage(): Uint8Array {
    return NOBODY_MOVED
  }

  protected override handle(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#document === undefined) return this.#handleLater(bytes)
    return handleDocumentMessage(this.#document, decode(bytes))
  }

  async #handleLater(bytes: Uint8Array): Promise<void> {
    await this.#opening
    if (this.#document !== undefined) await this.handle(bytes)
  }

  async #open({ name, token }: YjsRequest): Promise<void> {
    const { account, device, actor, refusal } = await this.host.authenticate(token)
    const book = bookOf(name)
    if (this.isClosed) return
    const origin = new Origin(device, '', actor)
    const document = await DocumentSession.open({
      account,
      refusal,
      origin,
      book,
      outlet: this.#outlet,
      clock: this.host.clock,
      largeDocuments: this.host.largeDocuments
    })
    if (this.isClosed) document.close()
    else this.#document = document
  }
}

/** @throws HubError `bad-frame` */
function decode(bytes: Uint8Array): DocumentMessage {
  try {
    const decoder = decoding.createDecoder(bytes)
    const message = readDocumentMessage(decoding.readVarUint(decoder), decoder)
    if (message === undefined) throw new Error('there is no such kind')
    return message
  } catch {
    throw new HubError('bad-frame', 'the bytes are no message of y-websocket')
  }
}
