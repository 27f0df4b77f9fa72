import { objectFrom } from '../../protocol/index.ts'
import { sparse, type Annotation, type ReadBook } from './annotation.ts'
import { localTimeMs } from './local-time.ts'
import { badFile } from './limits.ts'
import { readLua, type LuaTable, type LuaValue } from './lua.ts'
import { identifierOfUri, stableId } from './uris.ts'

/** How KOReader draws a highlight, in the words that others use. */
const STYLES: Readonly<Record<string, string>> = {
  lighten: 'solid',
  underscore: 'underline',
  strikeout: 'strikethrough',
  invert: 'invert'
}
/** What has a field of its own. All else is kept under `extra.koreader`. */
const OWN_FIELDS = new Set(['datetime', 'datetime_updated', 'text', 'note', 'chapter', 'color', 'page', 'pos0', 'pos1'])

/**
 * The annotations of a book in KOReader's `metadata.*.lua`, in the form of 2024 or the one before.
 * @throws HubError `bad-request`
 */
export function readKoreader(bytes: Uint8Array): ReadBook[] {
  const file = readLua(bytes)
  const props = tableIn(file, 'doc_props') ?? tableIn(file, 'stats') ?? new Map<string, LuaValue>()
  const md5 = textIn(file, 'partial_md5_checksum') ?? textIn(tableIn(file, 'stats'), 'md5')
  const annotations = tableIn(file, 'annotations')
  if (annotations === undefined && !['highlight', 'bookmarks', 'doc_props', 'stats'].some(name => file.has(name)))
    throw badFile("it is no book's file of KOReader: it has neither annotations nor doc_props")
  const title = known(textIn(props, 'title'))
  const authors = lines(known(textIn(props, 'authors')))
  return [
    {
      book: {
        identifiers: [
          ...(md5 !== undefined && /^[0-9a-f]{32}$/.test(md5) ? [`koreader:${md5}`] : []),
          ...lines(textIn(props, 'identifiers')).flatMap(text => identifierOfUri(text.replace(/^isbn:/i, 'urn:isbn:')) ?? [])
        ],
        fields: { ...(title && { title }), ...(authors.length > 0 && { authors }) }
      },
      annotations: annotations === undefined ? olderForm(file) : tablesIn(annotations).map(annotationOf)
    }
  ]
}

function annotationOf(item: LuaTable): Annotation {
  const text = textIn(item, 'text')
  const isHighlight = item.has('drawer') || item.has('pos0')
  const [page, pos0, pos1] = [item.get('page'), item.get('pos0'), item.get('pos1')]
  const datetime = textIn(item, 'datetime')
  const createdAtMs = timeOf(datetime)
  const drawer = textIn(item, 'drawer')
  const others = [...item].filter(([name]) => !OWN_FIELDS.has(String(name)))
  return sparse({
    id: stableId('koreader', datetime ?? '', textOf(pos0 ?? page)),
    kind: isHighlight ? 'highlight' : 'bookmark',
    color: textIn(item, 'color'),
    style: drawer === undefined ? undefined : (STYLES[drawer] ?? drawer),
    quote: isHighlight ? text : undefined,
    note: textIn(item, 'note') || undefined,
    chapter: textIn(item, 'chapter') || undefined,
    locators: locatorsOf(page, pos0, pos1),
    extra: {
      koreader: objectFrom([
        ...others.map(([name, value]): [string, unknown] => [String(name), plainOf(value)]),
        ...(isHighlight || text === undefined ? [] : [['text', text] as const])
      ])
    },
    createdAtMs,
    updatedAtMs: timeOf(textIn(item, 'datetime_updated')) ?? createdAtMs
  }) as Annotation
}

/** Books with pages have numbers and boxes, others have paths into the text. */
function locatorsOf(page: LuaValue | undefined, pos0: LuaValue | undefined, pos1: LuaValue | undefined): Annotation['locators'] {
  const locators: Record<string, string> = {}
  const add = (value: LuaValue | undefined, path: string, other: string): void => {
    if (value !== undefined) locators[typeof value === 'string' ? path : other] = textOf(value)
  }
  add(pos0, 'xpointer', 'pos0')
  add(pos1, 'xpointerEnd', 'pos1')
  if (typeof page !== 'string' || typeof pos0 !== 'string') add(page, 'xpointer', 'page')
  return Object.keys(locators).length > 0 ? locators : undefined
}

/** Until 2024 highlights stood under their pages, and notes in bookmarks of the same time. */
function olderForm(file: LuaTable): Annotation[] {
  const bookmarks = tablesIn(tableIn(file, 'bookmarks'))
  const byTime = new Map(bookmarks.map(bookmark => [textIn(bookmark, 'datetime'), bookmark]))
  const highlights = tablesIn(tableIn(file, 'highlight')).flatMap(tablesIn)
  const found = highlights.map(item => {
    const note = textIn(byTime.get(textIn(item, 'datetime')), 'text')
    const merged = new Map(item)
    if (note !== undefined && !isMadeText(note, textIn(item, 'text') ?? '', textIn(item, 'datetime') ?? ''))
      merged.set('note', note)
    return annotationOf(merged)
  })
  const times = new Set(highlights.map(item => textIn(item, 'datetime')))
  // A highlight whose own entry was lost is known by its bookmark.
  const others = bookmarks.filter(bookmark => bookmark.get('highlighted') !== true || !times.has(textIn(bookmark, 'datetime')))
  return [...found, ...others.map(bookmark => annotationOf(ofBookmark(bookmark)))]
}

/** A bookmark in the words of today: its `notes` were the quote, and its `text` the note. */
function ofBookmark(bookmark: LuaTable): LuaTable {
  const { notes, text, highlighted, ...others } = Object.fromEntries([...bookmark].map(([name, value]) => [String(name), value]))
  const item = new Map<string, LuaValue>(Object.entries(others))
  const set = (name: string, value: LuaValue | undefined): void => void (value !== undefined && item.set(name, value))
  if (highlighted !== true) set('text', text)
  else {
    set('text', notes)
    if (typeof text === 'string' && !isMadeText(text, typeof notes === 'string' ? notes : '', textIn(bookmark, 'datetime') ?? ''))
      set('note', text)
  }
  return item
}

/** KOReader filled notes in by itself: a word, the page, the quote and the time. */
function isMadeText(note: string, quote: string, datetime: string): boolean {
  const end = `${quote} @ ${datetime}`
  return note.endsWith(end) && note.length - end.length <= 20
}

function timeOf(text: string | undefined): number | undefined {
  const found = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(text ?? '')
  return found === null
    ? undefined
    : localTimeMs(...(found.slice(1).map(Number) as [number, number, number, number, number, number]))
}

/** Tables whose keys are 1, 2, 3 … become lists. The order is always the same: older KOReaders write a table in another one each time. */
function plainOf(value: LuaValue): unknown {
  if (!(value instanceof Map)) return value
  const entries = [...value].sort(([left], [right]) => compareKeys(left, right))
  const isList = entries.every(([name], index) => name === index + 1)
  return isList
    ? entries.map(([, item]) => plainOf(item))
    : objectFrom(entries.map(([name, item]) => [String(name), plainOf(item)]))
}

/** Numbers before names. */
function compareKeys(left: string | number, right: string | number): number {
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1
  return left < right ? -1 : left > right ? 1 : 0
}

const textOf = (value: LuaValue | undefined): string =>
  value instanceof Map ? JSON.stringify(plainOf(value)) : value === undefined ? '' : String(value)
const textIn = (table: LuaTable | undefined, name: string): string | undefined => {
  const value = table?.get(name)
  return typeof value === 'string' ? value : undefined
}
/** Its statistics have this word for what a book does not say. */
const known = (text: string | undefined): string | undefined => (text === 'N/A' ? undefined : text)
const tableIn = (table: LuaTable, name: string): LuaTable | undefined => {
  const value = table.get(name)
  return value instanceof Map ? value : undefined
}
const tablesIn = (table: LuaTable | undefined): LuaTable[] => [...(table?.values() ?? [])].filter(value => value instanceof Map)
const lines = (text = ''): string[] =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
