import { z } from '@hono/zod-openapi'
import { HubError, type ActionBody } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import type { Origin } from '../../core/origin.ts'
import type { BookRecord } from '../../core/records.ts'
import { STATUSES } from './progress.ts'
import { parsed } from './refusals.ts'

const time = z.iso.datetime().optional()
const statusShape = z.object({ status: z.enum(STATUSES), startedAt: time, finishedAt: time, pausedAt: time })

type Status = NonNullable<ActionBody<'book.put'>['status']>
type Dates = Pick<Status, 'startedAtMs' | 'finishedAtMs' | 'pausedAtMs'>

/** The dates that a status has: those that are given, else those that it had before. The others go. */
const DATES: Record<(typeof STATUSES)[number], readonly (keyof Dates)[]> = {
  unread: [],
  reading: ['startedAtMs'],
  finished: ['startedAtMs', 'finishedAtMs'],
  paused: ['startedAtMs', 'pausedAtMs']
}

/**
 * The status that a body asks for.
 * @throws Invalid
 * @throws HubError `bad-request` for dates that cannot be
 */
export function readStatus(body: unknown, { fields }: BookRecord, nowMs: number): Status {
  const { status: state, startedAt, finishedAt, pausedAt } = parsed(statusShape, body)
  const given = { startedAtMs: msOf(startedAt), finishedAtMs: msOf(finishedAt), pausedAtMs: msOf(pausedAt) }
  if (Object.values(given).some(ms => ms !== undefined && ms > nowMs))
    throw new HubError('bad-request', 'Dates cannot be in the future')
  if (Object.values(given).some(ms => ms !== undefined && ms < 0))
    throw new HubError('bad-request', 'Dates cannot be before 1970')
  const dates = DATES[state].flatMap(name => {
    const ms = given[name] ?? fields.status?.[name]
    return ms === undefined || ms === null ? [] : [[name, ms] as const]
  })
  const status: Status = { state, ...Object.fromEntries(dates) }
  if ((status.finishedAtMs ?? Infinity) < (status.startedAtMs ?? 0))
    throw new HubError('bad-request', 'finishedAt cannot be before startedAt')
  return status
}

/** Sets a book's status by hand, or lets it follow from its progress again. Resolves once that is durable. */
export async function setStatus(account: Account, origin: Origin, book: string, status: Status | null): Promise<void> {
  if (status === null && account.views.get('books', book)?.fields.status === undefined) return
  await account.perform(origin, 'book.put', book, { status })
}

const msOf = (time: string | undefined): number | undefined => (time === undefined ? undefined : Date.parse(time))
