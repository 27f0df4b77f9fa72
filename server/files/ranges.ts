/** What a request asks of a content, by its headers. */
export interface ContentRequest {
  readonly method: string
  readonly range?: string | undefined
  readonly ifRange?: string | undefined
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

/** How a request for a content is to be answered. */
export interface ContentPlan {
  readonly status: 200 | 206 | 304 | 412 | 416
  /** The first byte of the body. */
  readonly start: number
  /** The byte behind its last. Without a body it is `start`. */
  readonly end: number
  /** What `content-range` says, where there is one. */
  readonly contentRange?: string
}

/**
 * How a request for a content of `sizeBytes` under a strong entity tag is to be answered.
 *
 * A request for several ranges gets all of the content, and so does one whose range cannot be read: both are allowed, and whoever asks must be ready for it.
 *
 * @param etag with its quotes
 * @see RFC 9110, sections 13 and 14
 */
export function planContent(request: ContentRequest, sizeBytes: number, etag: string): ContentPlan {
  const { method, range, ifRange, ifMatch, ifNoneMatch } = request
  if (ifMatch !== undefined && !lists(ifMatch, etag, false)) return { status: 412, start: 0, end: 0 }
  if (ifNoneMatch !== undefined && lists(ifNoneMatch, etag, true)) return { status: 304, start: 0, end: 0 }
  const whole: ContentPlan = { status: 200, start: 0, end: sizeBytes }
  // A range is of a GET only. What was asked for under another tag, or by a date, is no part of this content.
  if (method !== 'GET' || range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return whole
  const asked = onlyRange(range)
  if (asked === undefined) return whole
  const { start, end } =
    asked.first === undefined ? lastBytes(asked.last!, sizeBytes) : between(asked.first, asked.last, sizeBytes)
  // The last bytes of nothing are nothing, which no `content-range` can say.
  if (sizeBytes === 0 && asked.first === undefined && asked.last! > 0n) return whole
  if (start >= end) return { status: 416, start: 0, end: 0, contentRange: `bytes */${sizeBytes}` }
  return { status: 206, start, end, contentRange: `bytes ${start}-${end - 1}/${sizeBytes}` }
}

interface Range {
  readonly first: bigint | undefined
  readonly last: bigint | undefined
}

/** The one range that a header asks for; undefined when it asks for several, in another unit, or for nothing that can be read. */
function onlyRange(header: string): Range | undefined {
  const set = /^bytes=(.*)$/i.exec(header.trim())?.[1]
  const specs = set
    ?.split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
  if (specs?.length !== 1) return undefined
  const [, first, last] = /^(\d*)-(\d*)$/.exec(specs[0]!) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  const range = { first: first === '' ? undefined : BigInt(first), last: last === '' ? undefined : BigInt(last) }
  return range.first !== undefined && range.last !== undefined && range.last < range.first ? undefined : range
}

const lastBytes = (count: bigint, sizeBytes: number): { start: number; end: number } => ({
  start: sizeBytes - least(count, sizeBytes),
  end: sizeBytes
})

const between = (first: bigint, last: bigint | undefined, sizeBytes: number): { start: number; end: number } => ({
  start: least(first, sizeBytes),
  end: last === undefined ? sizeBytes : least(last + 1n, sizeBytes)
})

const least = (value: bigint, most: number): number => (value < BigInt(most) ? Number(value) : most)

/** Whether a list of entity tags, or `*`, names this one. @param weak weak tags count too */
function lists(header: string, etag: string, weak: boolean): boolean {
  if (header.trim() === '*') return true
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some(tag => tag === etag || (weak && tag === `W/${etag}`))
}
