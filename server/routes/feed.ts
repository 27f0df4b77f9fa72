import { HubError, type Frame } from '../../protocol/index.ts'
import { Feed, type FeedOutlet } from '../core/feed.ts'
import type { Hub } from '../core/hub.ts'
import type { Clock } from '../core/ports.ts'
import { problem, tokenOf, type HttpApp } from '../transports/http.ts'
import { FeedBody } from './feed-body.ts'
import { changeJson } from './feed-json.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000
/** How long a long poll waits for something new. */
const LONG_POLL_MS = 25_000
/** Something is sent at least so often, so that no proxy takes the stream for a dead one. */
const KEEP_ALIVE_MS = 15_000
/** After which an `EventSource` comes back. */
const RETRY_MS = 2_000

const encoder = new TextEncoder()

type Live = '' | 'long-poll' | 'sse'

interface Query {
  readonly epoch: string
  readonly cursor: number
  readonly limit: number
  readonly live: Live
}

/**
 * `GET /api/v1/changes?epoch=&cursor=&limit=&live=`: an account's log from a cursor on, for clients without a connection. As one page of JSON; with `live=long-poll` a page
 * that waits while there is nothing; with `live=sse` a stream of events without end. What cannot be continued begins anew, by the same rule as a session.
 */
export function mountFeed(app: HttpApp, hub: Hub, clock: Clock): void {
  app.get('/api/v1/changes', context => {
    const query = queryOf(context.req.query(), context.req.header('last-event-id'))
    const token = tokenOf(context.env.incoming)
    return new Promise<Response>(resolve => {
      if (context.req.method === 'HEAD') return resolve(context.body(null))
      const writer = query.live === 'sse' ? new Events(resolve, query, clock) : new Page(resolve, query, clock)
      hub.admit(host => (writer.feed = new Feed(writer, host, { ...query, token })))
    })
  })
}

/** @throws HubError `bad-request` */
function queryOf({ epoch = '', cursor = '0', limit, live = '' }: Record<string, string>, lastEventId?: string): Query {
  if (live !== '' && live !== 'long-poll' && live !== 'sse')
    throw new HubError('bad-request', 'live is long-poll or sse, or left out', { field: 'live' })
  const resumed = live === 'sse' ? /^(\w{1,64}):(\d+)$/.exec(lastEventId ?? '') : null
  return {
    epoch: resumed?.[1] ?? epoch,
    cursor: whole(resumed?.[2] ?? cursor, 'cursor', 0, Number.MAX_SAFE_INTEGER),
    limit: whole(limit ?? String(DEFAULT_LIMIT), 'limit', 1, MAX_LIMIT),
    live
  }
}

function whole(text: string, field: string, least: number, most: number): number {
  const number = Number(text)
  if (!/^\d{1,16}$/.test(text) || number < least || number > most)
    throw new HubError('bad-request', `${field} is a whole number from ${least} to ${most}`, { field })
  return number
}

/** The answer to one request, which a feed writes. */
abstract class FeedAnswer implements FeedOutlet {
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

  begin(_epoch: string): void {
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

/** One page of JSON, written as it is read, so that a snapshot of any size needs no memory. */
class Page extends FeedAnswer {
  readonly #query: Query
  readonly #clock: Clock
  #cursor: number
  #count = 0
  #hasBegunAnew = false
  /** The list that is being written. */
  #list: 'snapshot' | 'changes' | undefined
  #isAtHead = false
  #isFinished = false
  #cancelTimer: (() => void) | undefined

  constructor(respond: (response: Response) => void, query: Query, clock: Clock) {
    super(respond, 'application/json')
    this.#query = query
    this.#clock = clock
    this.#cursor = query.cursor
  }

  override begin(epoch: string): void {
    super.begin(epoch)
    this.write(`{"epoch":${JSON.stringify(epoch)}`)
  }

  frame(frame: Frame<'changes' | 'resync' | 'snapshot'>): void {
    if (this.#isFinished) return
    if (frame.kind === 'resync') {
      // The log was trimmed under way: what was read so far is sound, and the next page begins anew.
      if (this.#hasBegunAnew || this.#count > 0) return this.finish()
      this.#hasBegunAnew = true
      this.#cursor = frame.cursor
      this.write(`,"resync":${JSON.stringify(frame.code)}`)
    } else if (frame.kind === 'snapshot') {
      this.#items('snapshot', frame.entries.map(changeJson))
      if (frame.isLast) this.#endList()
    } else {
      const changes = frame.changes.slice(0, this.#query.limit - this.#count)
      this.#items('changes', changes.map(changeJson))
      this.#count += changes.length
      this.#cursor = changes.at(-1)![0]
      if (this.#isAtHead || this.#count === this.#query.limit) this.finish()
    }
  }

  atHead(): void {
    this.#isAtHead = true
    if (this.#query.live === '' || this.#count > 0 || this.#hasBegunAnew) this.finish()
    else this.#cancelTimer = this.#clock.setTimer(LONG_POLL_MS, () => this.finish())
  }

  protected override interrupt({ code, message }: HubError): void {
    if (this.#isFinished) return
    this.#endList()
    this.write(`,"error":${JSON.stringify({ code, message })}`)
  }

  protected override finish(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#cancelTimer?.()
    if (this.#list !== 'changes') this.#items('changes', [])
    this.#endList()
    this.write(`,"cursor":${this.#cursor},"hasMore":${this.#cursor < (this.feed?.head ?? 0)}}\n`)
    super.finish()
  }

  #items(list: 'snapshot' | 'changes', items: readonly string[]): void {
    const isNew = this.#list !== list
    if (isNew) this.#endList()
    this.#list = list
    this.write(`${isNew ? `,"${list}":[` : items.length > 0 ? ',' : ''}${items.join(',')}`)
  }

  #endList(): void {
    if (this.#list !== undefined) this.write(']')
    this.#list = undefined
  }
}

/** Once for all who are told the same: they are of one account, and at one cursor. */
const events = new WeakMap<Frame<'changes'>, Uint8Array>()

/** Server-sent events. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
class Events extends FeedAnswer {
  readonly #clock: Clock
  #epoch = ''
  #cursor = 0
  #cancelKeepAlive: (() => void) | undefined

  constructor(respond: (response: Response) => void, { cursor }: Query, clock: Clock) {
    super(respond, 'text/event-stream')
    this.#clock = clock
    this.#cursor = cursor
  }

  override begin(epoch: string): void {
    super.begin(epoch)
    this.#epoch = epoch
    this.write(`retry: ${RETRY_MS}\n\n`)
    this.#keepAlive()
  }

  frame(frame: Frame<'changes' | 'resync' | 'snapshot'>): void {
    if (frame.kind === 'resync') {
      const { code, epoch, cursor } = frame
      this.#cursor = cursor
      this.write(this.#event('resync', JSON.stringify({ code, epoch, cursor })))
    } else if (frame.kind === 'snapshot') {
      this.write(
        this.#event('snapshot', `{"entries":[${frame.entries.map(changeJson).join(',')}],"isLast":${frame.isLast}}`, frame.isLast)
      )
    } else {
      this.#cursor = frame.changes.at(-1)![0]
      let event = events.get(frame)
      if (event === undefined)
        events.set(frame, (event = encoder.encode(this.#event('changes', `[${frame.changes.map(changeJson).join(',')}]`, true))))
      this.write(event)
    }
  }

  atHead(): void {
    this.write(this.#event('live', '{}', true))
  }

  protected override interrupt({ code, message, retryAfterMs }: HubError): void {
    this.write(this.#event('bye', JSON.stringify({ code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) })))
  }

  protected override finish(): void {
    this.#cancelKeepAlive?.()
    super.finish()
  }

  /** @param isKept an `EventSource` that comes back goes on from here */
  #event(name: string, data: string, isKept = false): string {
    return `${isKept ? `id: ${this.#epoch}:${this.#cursor}\n` : ''}event: ${name}\ndata: ${data}\n\n`
  }

  #keepAlive(): void {
    this.#cancelKeepAlive = this.#clock.setTimer(KEEP_ALIVE_MS, () => {
      this.write(':\n\n')
      this.#keepAlive()
    })
  }
}
