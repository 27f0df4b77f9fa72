import { sparse, type Annotation, type BookDescription, type ReadBook, type Reading } from './annotation.ts'
import { ENGLISH_MONTHS, KINDLE_LANGUAGES, type KindleLanguage } from './kindle-languages.ts'
import { localTimeMs } from './local-time.ts'
import { badFile, MAX_LEFT_OUT } from './limits.ts'
import { stableId } from './uris.ts'

const BETWEEN = /^={10}\s*$/
/** What stands in the place of a text that may not be copied any more. */
const NO_TEXT = /^<[^<>]{1,200}>$/
/** Longer ones are no Kindle's. */
const MAX_LINE = 400

/** The sign that begins the second line, which in Russian is a dash. */
const SIGN = /^[-–] /
/** Marks that only some Kindles have: they are highlights that are drawn in another way. */
const DRAWN = /\b(underline|circle|asterisk)\b/i

export const isKindle = (text: string): boolean =>
  /^[^\n]*\n[-–] [^\n]*\n/.test(text.slice(0, 8_192).trimStart()) && /^={10}\s*$/m.test(text)

/**
 * The clippings in a Kindle's `My Clippings.txt`, book by book. Its reader writes a changed highlight down again, and what was deleted stays: both are
 * there, as the Kindle has them.
 *
 * @param isUtf8 false for bytes that are none: what stands in the place of some of them is no word of anybody, and its clipping is left out
 * @throws HubError `bad-request` when none of them can be read
 */
export function readKindle(text: string, isUtf8: boolean): Pick<Reading, 'books' | 'leftOut'> {
  const books = new Map<string, { book: BookDescription; annotations: Annotation[] }>()
  const leftOut: string[] = []
  for (const { lines, line, isWhole } of entriesOf(text)) {
    const leave = (why: string): void => void (leftOut.length < MAX_LEFT_OUT && leftOut.push(`line ${line}: ${why}`))
    if (!isWhole) {
      leave('the clipping has no end, a line of ==========')
      continue
    }
    if (!isUtf8 && lines.some(row => row.includes('\ufffd'))) {
      leave('the clipping is not in UTF-8')
      continue
    }
    const [title = '', about = '', ...rest] = lines.map(row => row.replace(/^\ufeff+|\r$/g, '').normalize('NFC'))
    const language = about.length > MAX_LINE ? undefined : KINDLE_LANGUAGES.find(known => kindOf(known, about) !== undefined)
    if (language === undefined) {
      leave('no clipping in a language that is known')
      continue
    }
    let found = books.get(title)
    if (found === undefined) books.set(title, (found = { book: describedBook(title), annotations: [] }))
    const words = rest.map(row => row.trimEnd()).join('\n')
    found.annotations.push(clipping(language, title.trimEnd(), about.trimEnd(), words.trim()))
  }
  if (books.size === 0)
    throw badFile(
      isUtf8 ? 'none of its clippings is in a language that is known' : 'it is not in UTF-8; save it in UTF-8, and import that'
    )
  return { books: [...books.values()] satisfies ReadBook[], leftOut }
}

function entriesOf(text: string): { lines: string[]; line: number; isWhole: boolean }[] {
  const entries: { lines: string[]; line: number; isWhole: boolean }[] = []
  let lines: string[] = []
  const rows = text.split('\n')
  for (const [index, row] of rows.entries())
    if (!BETWEEN.test(row)) {
      // Nothing but white space stands before the first, and behind the last.
      if (lines.length > 0 || row.trim() !== '') lines.push(row)
    } else {
      if (lines.length > 0) entries.push({ lines, line: index - lines.length + 1, isWhole: true })
      lines = []
    }
  if (lines.length > 0) entries.push({ lines, line: rows.length - lines.length + 1, isWhole: false })
  return entries
}

function clipping(language: KindleLanguage, title: string, about: string, text: string): Annotation {
  const kind = kindOf(language, about)!
  const shown = text === '' || (kind === 'highlight' && NO_TEXT.test(text)) ? undefined : text
  const atMs = timeOf(language, about)
  const [, page] = language.page.exec(about) ?? []
  const [, location] = language.location.exec(about) ?? []
  const locators = sparse({ page: rangeOf(page), location: rangeOf(location) })
  return sparse({
    // The Kindle never rewrites a line, so that all of it names the clipping.
    id: stableId('kindle', title, about, text),
    kind,
    style: DRAWN.exec(about)?.[1]?.toLowerCase(),
    quote: kind === 'highlight' ? shown : undefined,
    note: kind === 'note' ? shown : undefined,
    locators: Object.keys(locators).length > 0 ? locators : undefined,
    createdAtMs: atMs,
    updatedAtMs: atMs
  }) as Annotation
}

/** A range as every language but two has it. */
const rangeOf = (numbers: string | undefined): string | undefined => numbers?.replaceAll('#', '').replace(/–| t\/m /i, '-')

function kindOf(language: KindleLanguage, about: string): 'highlight' | 'note' | 'bookmark' | undefined {
  if (!SIGN.test(about)) return undefined
  return (['highlight', 'note', 'bookmark'] as const).find(kind => language[kind].test(about))
}

/** `Title (Author)`, or `Title (Last, First;Last, First)`. Two blanks stand behind a title without author, which may end with parentheses of its own. */
function describedBook(row: string): BookDescription {
  const hasNoAuthor = row.endsWith('  ')
  const line = row.trimEnd()
  const start = hasNoAuthor ? undefined : openOf(line)
  const title = (start === undefined ? line : line.slice(0, start)).trim()
  const authors =
    start === undefined
      ? []
      : line
          .slice(start + 1, -1)
          .split(';')
          .map(author => author.trim())
  const named = authors.filter(author => author !== '')
  return { identifiers: [], fields: { ...(title !== '' && { title }), ...(named.length > 0 && { authors: named }) } }
}

/** Where the parenthesis begins that ends the line. */
function openOf(line: string): number | undefined {
  if (!line.endsWith(')')) return undefined
  let depth = 0
  for (let at = line.length - 1; at > 0; at--) {
    if (line[at] === ')') depth += 1
    else if (line[at] === '(' && --depth === 0) return at
  }
  return undefined
}

/** Dates stand in many forms, but always as a day, a month, a year and a time. */
function timeOf({ months, page, location }: KindleLanguage, about: string): number | undefined {
  const text = about.slice(about.lastIndexOf('|') + 1).toLowerCase()
  const clock = /(上午|下午|午前|午後)?\s*(\d{1,2}):(\d\d)(?::(\d\d))?(?:\s*([ap])\.?m\b)?/.exec(text)
  if (clock === null || page.test(text) || location.test(text)) return undefined
  const before = text.slice(0, clock.index)
  const numbered = /(\d{4})年(\d{1,2})月(\d{1,2})日/.exec(before)
  const date =
    numbered === null ? (namedDate(months, before) ?? namedDate(ENGLISH_MONTHS, before)) : numbered.slice(1).map(Number)
  if (date === undefined) return undefined
  const half = clock[1] === '下午' || clock[1] === '午後' || clock[5] === 'p' ? 12 : 0
  const hour = Number(clock[2])
  const isHalved = clock[1] !== undefined || clock[5] !== undefined
  const [year, month, day] = date as [number, number, number]
  return localTimeMs(year, month, day, isHalved ? (hour % 12) + half : hour, Number(clock[3]), Number(clock[4] ?? 0))
}

function namedDate(months: readonly string[], text: string): number[] | undefined {
  const month = text
    .match(/\p{L}+/gu)
    ?.map(word => months.findIndex(name => word.startsWith(name)) + 1)
    .find(found => found > 0)
  const numbers = text.match(/\d+/g) ?? []
  // The day comes before the year, wherever the month stands. Old Kindles leave the century out.
  const [day, year] = numbers
  if (month === undefined || numbers.length !== 2 || !/^\d{1,2}$/.test(day!) || !/^(?:\d\d|\d{4})$/.test(year!)) return undefined
  return [year!.length === 2 ? 2_000 + Number(year) : Number(year), month, Number(day)]
}
