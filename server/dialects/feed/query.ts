import { z } from '@hono/zod-openapi'
import type { HonoRequest } from 'hono'
import { parsed } from './refusals.ts'

const paging = {
  page: z.coerce.number().int().min(1).default(1),
  limit: z.coerce.number().int().min(1).max(100).default(20)
}

/** Of `GET /api/library/sync`. What is not named is passed over. */
const feedShape = z.object({ ...paging, since: z.iso.datetime().optional() })

export const SORTS = [
  'title_asc',
  'title_desc',
  'author_asc',
  'author_desc',
  'added_newest',
  'added_oldest',
  'series_asc'
] as const

const text = z.string().max(512).optional()

/** Of `GET /api/library`. */
const listShape = z.object({
  ...paging,
  author: text,
  genre: text,
  language: text,
  series: text,
  uploaderId: text,
  q: text,
  sort: z.enum(SORTS).default('added_newest')
})

export interface Paging {
  readonly page: number
  readonly limit: number
}

export interface FeedQuery extends Paging {
  /** Microseconds since 1970; undefined for the whole library. */
  readonly sinceUs: number | undefined
}

export type ListQuery = z.infer<typeof listShape>

/** @throws Invalid */
export function readFeedQuery(request: HonoRequest): FeedQuery {
  const { page, limit, since } = parsed(feedShape, queryOf(request))
  return { page, limit, sinceUs: since === undefined ? undefined : microsecondsOf(since) }
}

/** @throws Invalid */
export const readListQuery = (request: HonoRequest): ListQuery => parsed(listShape, queryOf(request))

/** What a page of so many says of the whole. */
export const paginationOf = ({ page, limit }: Paging, total: number) => ({
  page,
  limit,
  total,
  totalPages: Math.ceil(total / limit)
})

/** A parameter that is given once is its text; one that comes again is a list, which none may be. */
function queryOf(request: HonoRequest): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(request.queries()).map(([name, values]) => [name, values.length === 1 ? values[0]! : values])
  )
}

/** What is finer than a microsecond is cut off: a time that is told is never later than the one that was meant. */
function microsecondsOf(time: string): number {
  const [, seconds, fraction = ''] = /^(.{19})(?:\.(\d+))?Z$/.exec(time)!
  return Date.parse(`${seconds}Z`) * 1_000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
}
