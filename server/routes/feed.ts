import { HubError, type Frame } from '../../protocol/index.ts'
import { Feed } from '../core/feed.ts'
import type { Hub } from '../core/hub.ts'
import type { Clock } from '../core/ports.ts'
import { tokenOf, type HttpApp } from '../transports/http.ts'
import { FeedAnswer } from './feed-answer.ts'
import { changeJson } from './feed-json.ts'
import { FeedPage, type PageWords } from './feed-page.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000
/** How long a long poll waits for something new. */
const LONG_POLL_MS = 25_000
/** Something is sent at least so often, so that no proxy takes the stream for a dead one. */
const KEEP_ALIVE_MS = 15_000
/** After which an `EventSource` comes back. */
const RETRY_MS = 2_000

/** A place in no log: the epoch is nobody's. */
const NOWHERE = { epoch: '?', cursor: 0 } as const

const encoder = new TextEncoder()

type Live = '' | 'long-poll' | 'sse'

interface Query {
  readonly epoch: string
  readonly cursor: number
  readonly limit: number
  readonly live: Live
}

const WORDS: PageWords = {
  begin: epoch => `"epoch":${JSON.stringify(epoch)}`,
  change: changeJson,
  end: (_, cursor, hasMore) => `"cursor":${cursor},"hasMore":${hasMore}`
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
      const writer =
        query.live === 'sse'
          ? new Events(resolve, query, clock)
          : new FeedPage(resolve, { ...query, words: WORDS, ...(query.live !== '' && { wait: { clock, ms: LONG_POLL_MS } }) })
      hub.admit(host => (writer.feed = new Feed(writer, host, { ...query, token })))
    })
  })
}

/** @throws HubError `bad-request` */
function queryOf({ epoch = '', cursor = '0', limit, live = '' }: Record<string, string>, lastEventId?: string): Query {
  if (live !== '' && live !== 'long-poll' && live !== 'sse')
    throw new HubError('bad-request', 'live is long-poll or sse, or left out', { field: 'live' })
  const place = { epoch, cursor: whole(cursor, 'cursor', 0, Number.MAX_SAFE_INTEGER) }
  return {
    ...(live === 'sse' && lastEventId ? placeOfEvent(lastEventId) : place),
    limit: whole(limit ?? String(DEFAULT_LIMIT), 'limit', 1, MAX_LIMIT),
    live
  }
}

/** Where an event left off. One that is none of ours is of no log: what was asked for begins anew. */
function placeOfEvent(id: string): Pick<Query, 'epoch' | 'cursor'> {
  const [, epoch, digits] = /^([^:]{1,128}):(\d{1,16})$/.exec(id) ?? []
  const cursor = Number(digits)
  return epoch !== undefined && Number.isSafeInteger(cursor) ? { epoch, cursor } : NOWHERE
}

function whole(text: string, field: string, least: number, most: number): number {
  const number = Number(text)
  if (!/^\d{1,16}$/.test(text) || number < least || number > most)
    throw new HubError('bad-request', `${field} is a whole number from ${least} to ${most}`, { field })
  return number
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

  override begin(epoch: string, head: number): void {
    super.begin(epoch, head)
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
