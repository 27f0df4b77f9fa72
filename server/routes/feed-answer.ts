import type { Frame, HubError } from '../../protocol/index.ts'
import type { Feed, FeedOutlet } from '../core/feed.ts'
import { problem } from '../transports/http.ts'
import { FeedBody } from './feed-body.ts'

const encoder = new TextEncoder()

/** The answer to one request, which a feed writes. */
export abstract class FeedAnswer implements FeedOutlet {
  feed: Feed | undefined
  readonly #respond: (response: Response) => void
  readonly #type: string
  #body: FeedBody | undefined

  constructor(respond: (response: Response) => void, type: string) {
    this.#respond = respond
    this.#type = type
  }

  get bufferedBytes(): number {
    return this.#body?.bufferedBytes ?? 0
  }

  begin(_epoch: string, _head: number): void {
    this.#body = new FeedBody({
      onDrain: () => this.feed?.drained(),
      onGone: () => this.finish()
    })
    const headers = { 'content-type': this.#type, 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
    this.#respond(new Response(this.#body.stream, { headers }))
  }

  abstract frame(frame: Frame<'changes' | 'resync' | 'snapshot'>): void
  abstract atHead(): void

  end(error: HubError): void {
    if (this.#body === undefined) return this.#respond(problem(error))
    this.interrupt(error)
    this.finish()
  }

  /** Says why nothing follows. */
  protected abstract interrupt(error: HubError): void

  protected write(text: string | Uint8Array): void {
    this.#body?.write(typeof text === 'string' ? encoder.encode(text) : text)
  }

  /** Nothing more is written, or nobody reads it. */
  protected finish(): void {
    this.#body?.close()
    this.feed?.close()
  }
}
