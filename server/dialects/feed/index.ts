import { Hono, type Context } from 'hono'
import { HubError } from '../../../protocol/index.ts'
import type { BlobStore } from '../../core/blobs.ts'
import { identifierIn } from '../../core/identifiers.ts'
import type { Hub } from '../../core/hub.ts'
import type { Clock, Logger } from '../../core/ports.ts'
import type { HttpApp } from '../../transports/http.ts'
import { BodyReader } from '../bodies.ts'
import { authenticated, permitted, type BearerEnv } from '../bearers.ts'
import { OneByOne } from '../one-by-one.ts'
import { BookIds } from './book-ids.ts'
import { storedFileOf } from './book-record.ts'
import { answerCover, answerFile } from './book-contents.ts'
import { Drains } from './drains.ts'
import { listBooks, readBook, readBooks, type Reading } from './library.ts'
import { deviceName, placesIn, progressOf } from './progress.ts'
import { paginationOf, readFeedQuery, readListQuery } from './query.ts'
import { readStatus, setStatus } from './reading-status.ts'
import { refusalOf } from './refusals.ts'
import { tokensOf } from './tokens.ts'

/** Where the API is. What is under it reads bodies itself. */
export const LIBRARY_PATH = '/api/library'

const MAX_BODY_BYTES = 65_536

export interface LibraryParts {
  readonly hub: Hub
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly logger: Logger
  /** The address that devices use, when a proxy stands in front; else empty. */
  readonly publicUrl: string
}

type Asked = Context<BearerEnv>

/** The library feed, and the calls that its clients make beside it. */
export function mountLibrary(app: HttpApp, parts: LibraryParts): void {
  const { hub, clock, logger } = parts
  const ids = new BookIds(clock)
  const drains = new Drains(clock)
  const bodies = new BodyReader(MAX_BODY_BYTES)
  /** Each list holds something of every book while it is made. */
  const listing = new OneByOne()
  const library = new Hono<BearerEnv>({ getPath: request => pathUnder(new URL(request.url).pathname) })
  library.onError(error => refusalOf(error, logger))
  library.use(authenticated(hub, tokensOf))

  const reading = ({ req }: Asked): Reading => ({
    clock,
    base: (parts.publicUrl === '' ? new URL(req.url).origin : parts.publicUrl).replace(/\/$/, '')
  })
  const asked = async (context: Asked) => {
    const { account, device } = context.get('bearer')
    return { account, device, ...(await ids.find(account, context.req.param('id')!)) }
  }
  /** What was read is told once it is durable. */
  const told = async (context: Asked, body: object): Promise<Response> => {
    await context.get('bearer').account.settled()
    return context.json(body)
  }

  library.get('/sync', permitted('books'), async context => {
    const { account, device } = context.get('bearer')
    const query = readFeedQuery(context.req)
    const { books, serverTimeMs } = await drains.drain(account, device, query, query.sinceUs)
    const start = (query.page - 1) * query.limit
    const data = await readBooks(account, books.slice(start, start + query.limit), reading(context))
    const serverTime = new Date(serverTimeMs).toISOString()
    return told(context, { data, pagination: paginationOf(query, books.length), serverTime })
  })

  library.get('/', permitted('books'), async context => {
    const query = readListQuery(context.req)
    const { account } = context.get('bearer')
    const { total, data } = await listing.run(account.id, () => listBooks(account, query, reading(context)))
    return told(context, { data, pagination: paginationOf(query, total) })
  })

  library.get('/:id', permitted('book'), async context => {
    const { account, book, record } = await asked(context)
    account.views.noteActivity()
    const { file } = record.fields
    const files = file ? [storedFileOf(file)] : []
    return told(context, { ...readBook(account, book, record, reading(context)), files })
  })

  library.get('/:id/progress', permitted('positions'), async context => {
    const { account, book, record } = await asked(context)
    const document = identifierIn(record.identifiers, 'koreader') ?? book
    const progress = placesIn(account.views, book).map(({ device, progression, changedAtUs, locator }) => ({
      document,
      device: deviceName(account.views, device),
      deviceId: device,
      progress: locator,
      percentage: Math.round(progression * 10_000) / 10_000,
      timestamp: Math.floor(changedAtUs / 1_000_000)
    }))
    return told(context, { bookId: context.req.param('id').toLowerCase(), progress })
  })

  library.get('/:id/cover', permitted('book'), async context => {
    const { record } = await asked(context)
    return answerCover(context, record, parts)
  })

  library.get('/:id/download/:file', permitted('book'), async context => {
    const { record } = await asked(context)
    return answerFile(context, record, context.req.param('file'), parts)
  })

  library.patch('/:id/reading-status', permitted('book.put'), async context => {
    const { account, book, record } = await asked(context)
    const body = await bodies.read(context.env.incoming, jsonOf)
    await setStatus(account, context.get('origin'), book, readStatus(body, record, clock.nowMs()))
    return told(context, progressOf(account.views, book, account.views.get('books', book)!, clock.nowMs()))
  })

  library.delete('/:id/reading-status', permitted('book.put'), async context => {
    const { account, book } = await asked(context)
    await setStatus(account, context.get('origin'), book, null)
    return told(context, progressOf(account.views, book, account.views.get('books', book)!, clock.nowMs()))
  })

  library.all('*', () => {
    throw new HubError('not-found', 'Not found')
  })
  app.all(`${LIBRARY_PATH}/*`, context => library.fetch(context.req.raw, context.env))
}

/** A slash at a path's end does no harm: clients join paths to an address that may have one. */
const pathUnder = (path: string): string => path.slice(LIBRARY_PATH.length).replace(/\/+$/, '') || '/'

/** @throws HubError `bad-request` */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new HubError('bad-request', 'Malformed JSON in request body')
  }
}
