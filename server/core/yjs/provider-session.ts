import { HubError } from '../../../protocol/index.ts'
import { Intake } from '../intake.ts'
import { HIGH_WATER_BYTES } from '../log-reader.ts'
import { Sender } from '../sender.ts'
import type { HubConnection } from '../ports.ts'
import type { LiveSession, SessionHost } from '../session.ts'
import type { DocumentSession } from './document-session.ts'
import { closeCodeOf } from './messages.ts'

/** Something is sent at least so often: providers leave a connection on which nothing comes for 30 seconds. */
const KEEP_ALIVE_MS = 20_000

/** The connection of a Yjs provider, whichever wire it speaks. */
export abstract class ProviderSession implements LiveSession {
  protected readonly connection: HubConnection
  protected readonly host: SessionHost
  readonly #intake: Intake
  readonly #sender: Sender
  #cancelKeepAlive: () => void
  #hasDrained = false
  #isCatchingUp = false
  #isClosed = false

  constructor(connection: HubConnection, host: SessionHost) {
    this.connection = connection
    this.host = host
    this.#intake = new Intake({
      connection,
      clock: host.clock,
      handle: bytes => this.handle(bytes),
      onFault: error => this.fault(error),
      onHeldUp: () => this.#sender.watch()
    })
    this.#sender = new Sender({
      connection,
      clock: host.clock,
      onMoved: () => this.#moved(),
      onSlow: () => this.end(new HubError('slow'))
    })
    connection.listen({
      onFrame: bytes => this.#intake.receive(bytes),
      onDrain: () => {
        // What was sent in this turn of the event loop may wait still.
        if (connection.bufferedBytes < HIGH_WATER_BYTES) for (const document of this.documents()) document.sent()
        this.#sender.moved()
      },
      onClose: () => this.leave()
    })
    this.#cancelKeepAlive = this.#keepAlive()
  }

  /** Handles one message. Those behind it wait for the promise, if it gives one. */
  protected abstract handle(bytes: Uint8Array): Promise<void> | undefined
  /** The documents that it has open. */
  protected abstract documents(): readonly DocumentSession[]
  /** A message that says nothing. */
  protected abstract keepAliveMessage(): Uint8Array

  protected get isClosed(): boolean {
    return this.#isClosed
  }

  end(error: HubError): void {
    if (this.#isClosed) return
    this.connection.close(closeCodeOf(error), error.code)
    this.leave()
  }

  protected send(bytes: Uint8Array, mayWait?: boolean): void {
    if (this.#isClosed) return
    this.#sender.send(bytes, mayWait)
    this.#sender.watch()
  }

  protected fault(error: unknown): void {
    if (error instanceof HubError) return this.end(error)
    this.host.logger.error({ err: error }, 'a session of a Yjs provider failed')
    this.end(new HubError('internal'))
  }

  protected leave(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelKeepAlive()
    this.#sender.close()
    this.#intake.close()
    for (const document of this.documents()) document.close()
    this.host.closed(this)
  }

  /** There may be room for what waits. */
  #moved(): void {
    void this.#catchUp()
    this.#intake.goOn()
  }

  /** Gives the documents what they missed, one after the other: each looks whether there is room left for it. */
  async #catchUp(): Promise<void> {
    this.#hasDrained = true
    if (this.#isCatchingUp) return
    this.#isCatchingUp = true
    while (this.#hasDrained) {
      this.#hasDrained = false
      for (const document of this.documents()) await document.drained()
    }
    this.#isCatchingUp = false
  }

  #keepAlive(): () => void {
    return this.host.clock.setTimer(KEEP_ALIVE_MS, () => {
      this.send(this.keepAliveMessage())
      this.#cancelKeepAlive = this.#keepAlive()
    })
  }
}
