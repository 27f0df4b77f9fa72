import { isSameValue, type ActionBody } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import { positionVersions } from '../../core/position-history.ts'
import type { PositionRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'
import { idOfReader } from './devices.ts'
import { isDocument, PAGE_RECORDS, positionsOf, extraOf, timeMsOf, type KosyncExtra } from './documents.ts'
import { Refusal } from './refusals.ts'

type Fields = ActionBody<'position.set'>

/** The account's setting that says which position is told: `newest`, which is also the default, or `furthest`. */
export const ANSWERS_SETTING = 'kosync.answers'

const MAX_LENGTH = { progress: 4_096, device: 256, metadata: 1_024 } as const
const METADATA = ['filename', 'title', 'authors'] as const

/** What a reader says of its place in a document. */
export interface Progress {
  readonly document: string
  /** A place in the document, in words that only readers understand: kept to the letter. */
  readonly progress: string
  /** 0 to 1, as is meant. */
  readonly percentage: number
  readonly device: string
  readonly device_id?: string
  readonly metadata?: NonNullable<KosyncExtra['metadata']>
}

/** @throws Refusal */
export function readProgress(body: Readonly<Record<string, unknown>>): Progress {
  const { document } = body
  if (!isDocument(document)) throw new Refusal('no-document')
  const [percentage, progress, device] = [
    numberOf(body['percentage']),
    textOf(body['progress'], 'progress'),
    textOf(body['device'], 'device')
  ]
  if (percentage === undefined || progress === undefined || device === undefined) throw new Refusal('bad-fields')
  const deviceId = body['device_id'] ?? undefined
  const device_id = textOf(deviceId, 'device')
  if (deviceId !== undefined && device_id === undefined) throw new Refusal('bad-fields')
  const metadata = metadataOf(body['metadata'])
  return { document, progress, percentage, device, ...(device_id !== undefined && { device_id }), ...(metadata && { metadata }) }
}

/** What the reference server's language takes for a number, as far as JSON and decimal texts have one. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /\d/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

/** Numbers are kept as texts: what is told must be one. */
function textOf(value: unknown, kind: keyof typeof MAX_LENGTH): string | undefined {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && text.length <= MAX_LENGTH[kind] ? text : undefined
}

/** What of it is known and not too long; nothing else can be wrong with it. */
function metadataOf(value: unknown): Progress['metadata'] {
  const given = Object(value) as Record<string, unknown>
  const entries = METADATA.map(name => [name, textOf(given[name], 'metadata')] as const).filter(([, text]) => text !== undefined)
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Record<string, string>)
}

/** The name of a place's format: an xpointer of reflowable documents, the page of others. */
const locatorOf = (progress: string): string =>
  progress.startsWith('/') ? 'xpointer' : /^\d+$/.test(progress) ? 'page' : 'koreader'

/**
 * A place as the hub keeps it. What was said of the document before and is left out now stays.
 * @param book where it is to be set, and `device` by whom
 */
export function positionOf(views: Views, book: string, device: string, given: Progress): Fields {
  const { progress, percentage, device_id, metadata } = given
  const progression = Math.min(1, Math.max(0, percentage))
  const locators = { [locatorOf(progress)]: progress }
  const before = views.get('positions', book, device)
  const kept = metadata ?? (before && extraOf(before).metadata)
  const kosync: KosyncExtra = {
    device: given.device,
    ...(device_id !== undefined && { device_id }),
    ...(progression !== percentage && { percentage }),
    ...(kept && { metadata: kept }),
    ...(isReplayed(views, book, device, { progression, locators }) && { replayed: true })
  }
  return { progression, locators, extra: { kosync: { ...kosync } } }
}

/**
 * True when the device had been at exactly this place before, and it or another was further since: so looks a place that waited in a reader's queue, which gives it
 * no time. It looks the same when somebody has gone back there.
 */
function isReplayed(
  views: Views,
  book: string,
  device: string,
  { progression, locators }: { readonly progression: number; readonly locators: Fields['locators'] }
): boolean {
  const own = positionVersions(views.get('positionHistories', book, device))
  const before = own.find(version => version.progression === progression && isSameValue(version.fields.locators, locators))
  if (before === undefined) return false
  for (const page of views.pages('positionHistories', [book], PAGE_RECORDS))
    for (const [, history] of page)
      if (positionVersions(history).some(version => version.timeUs > before.timeUs && version.progression > progression))
        return true
  return false
}

/** A position as a reader is told it. */
export interface ToldProgress {
  readonly document: string
  readonly percentage: number
  readonly progress: string
  readonly device: string
  readonly device_id: string | undefined
  /** Whole seconds since 1970. */
  readonly timestamp: number
}

/**
 * The position of a document that its readers are told: the newest that any device has set, or the furthest where the account wants that; undefined when there is
 * none that a reader could go to.
 */
export function toldOf({ views }: Account, document: string): ToldProgress | undefined {
  const isFurthest = views.get('settings', ANSWERS_SETTING)?.value === 'furthest'
  let told: { device: string; position: PositionRecord; progress: string } | undefined
  for (const [device, position] of positionsOf(views, document)) {
    const progress = progressOf(position.fields)
    if (progress !== undefined && (told === undefined || isBefore(told.position, position, isFurthest)))
      told = { device, position, progress }
  }
  if (told === undefined) return undefined
  const { device, position, progress } = told
  const extra = extraOf(position)
  // Whoever brings back an earlier place of a reader sets it with what the reader had said of itself.
  const isReader = extra.device !== undefined && idOfReader({ ...extra, device: extra.device }) === device
  return {
    document,
    percentage: extra.percentage ?? position.fields.progression ?? 0,
    progress,
    device: isReader ? extra.device : (views.get('devices', device)?.name ?? device),
    device_id: isReader ? extra.device_id : device,
    timestamp: Math.floor(timeMsOf(position) / 1_000)
  }
}

const isBefore = (one: PositionRecord, other: PositionRecord, isFurthest: boolean): boolean => {
  const [left, right] = [one, other].map(({ fields }) => fields.progression ?? 0) as [number, number]
  if (isFurthest && left !== right) return left < right
  const [leftMs, rightMs] = [timeMsOf(one), timeMsOf(other)]
  return leftMs === rightMs ? one.changedAtUs < other.changedAtUs : leftMs < rightMs
}

/** A place in a reader's words; of an EPUB CFI the beginning of its chapter, which is what the two have in common. A page is a place where there is no CFI: in a text that flows readers cannot go to one. */
function progressOf({ locators }: Fields): string | undefined {
  const exact = locators?.['xpointer'] ?? locators?.['koreader']
  if (exact !== undefined && exact !== null) return exact
  const step = /^(?:epubcfi\()?\/6\/(\d+)/.exec(locators?.['cfi'] ?? '')?.[1]
  if (step !== undefined && Number(step) >= 2) return `/body/DocFragment[${Math.floor(Number(step) / 2)}].0`
  return /^\d+$/.test(locators?.['page'] ?? '') ? locators!['page']! : undefined
}
