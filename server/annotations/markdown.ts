import type { Annotation, BookDescription, ReadBook } from './annotation.ts'
import { sparse } from './annotation.ts'
import type { Format } from './formats.ts'
import { isDeep, jsonOf, plainOf } from './json-values.ts'
import { badFile, MAX_JSON_DEPTH } from './limits.ts'
import { wordsOf } from './uris.ts'
import { isMap, listOf } from './web-annotation.ts'

const FIRST = '---\nlectern: annotations\n'
const OPEN = '<!-- lectern '
const CLOSE = '<!-- /lectern -->'
/** A line of a note that looks like one of ours, with the signs in front that keep it from being one. */
const LIKE_OURS = /^\\*<!-- \/?lectern/

/**
 * Markdown, to be read and to be edited: a block for each annotation, its quote and its note between two comments that a reader does not show. What
 * stands outside of the blocks is for people only.
 */
export const markdown: Format = {
  mediaType: 'text/markdown; charset=utf-8',
  extension: '.md',
  begin({ id, identifiers, fields: { title, authors } }) {
    const head = Object.entries(sparse({ book: id, title, authors, identifiers }))
      .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
      .join('')
    const by = (authors ?? []).map(oneLine).join(', ')
    return `${FIRST}${head}---\n\n# ${oneLine(title ?? id)}\n${by === '' ? '' : `\nby ${by}\n`}`
  },
  item({ quote, note, ...annotation }) {
    const members = {
      ...annotation,
      ...(annotation.extra && { extra: jsonOf(annotation.extra) }),
      ...(quote !== undefined && { quote: true }),
      base: wordsOf({ quote, note })
    }
    // A comment ends at the first `-->`.
    const comment = `${OPEN}${JSON.stringify(members).replaceAll('>', '\\u003e')} -->`
    const parts = [
      comment,
      ...(quote === undefined ? [] : [lines(quote, line => `> ${line}`)]),
      ...(note === undefined ? [] : [lines(note, escaped)]),
      CLOSE
    ]
    return `\n${titleOf(annotation)}${parts.join('\n\n')}\n`
  },
  end: () => ''
}

export const isMarkdown = (text: string): boolean =>
  text
    .slice(0, FIRST.length + 2)
    .replaceAll('\r\n', '\n')
    .startsWith(FIRST)

/** The annotations of an exported file, with what a person has changed in quotes and notes since. */
export function readMarkdown(text: string): ReadBook[] {
  const given = text.split('\n')
  // An editor may end lines in its own way. Ours never all end so.
  const rows = given.slice(0, -1).every(row => row.endsWith('\r')) ? given.map(row => row.replace(/\r$/, '')) : given
  const headEnd = rows.indexOf('---', 1)
  if (headEnd === -1) throw badFile('line 1: the head has no end, a line of ---')
  const annotations: Annotation[] = []
  let begin = -1
  for (let row = headEnd + 1; row <= rows.length; row++) {
    const isBegin = row < rows.length && rows[row]!.startsWith(OPEN)
    if (begin !== -1 && (isBegin || row === rows.length))
      throw badFile(`line ${begin + 1}: the annotation has no end, a line of ${CLOSE}`)
    if (isBegin) begin = row
    else if (begin !== -1 && rows[row] === CLOSE) {
      annotations.push(annotationOfBlock(rows.slice(begin, row), begin + 1))
      begin = -1
    }
  }
  return [{ book: describedBook(rows.slice(2, headEnd)), annotations }]
}

function annotationOfBlock([comment, ...rows]: readonly string[], line: number): Annotation {
  const { quote: hasQuote, ...members } = parsedMap(comment!.slice(OPEN.length).replace(/ -->\s*$/, ''), line)
  if (typeof members['id'] !== 'string') throw badFile(`line ${line}: the annotation has no id`)
  // One empty line stands between the parts, and before the end.
  const body = rows.slice(rows[0] === '' ? 1 : 0, rows.length > 1 && rows.at(-1) === '' ? -1 : undefined)
  const quoteEnd = hasQuote === true ? body.findIndex(row => !row.startsWith('>')) : 0
  const quoted = quoteEnd === -1 ? body : body.slice(0, quoteEnd)
  const noted = body.slice(quoted.length > 0 ? quoted.length + 1 : 0)
  const note = noted.map(row => (LIKE_OURS.test(row) && row.startsWith('\\') ? row.slice(1) : row)).join('\n')
  return sparse({
    ...members,
    extra: isMap(members['extra']) ? plainOf(members['extra']) : undefined,
    quote: quoted.length > 0 ? quoted.map(row => row.replace(/^> ?/, '')).join('\n') : undefined,
    note: note === '' ? undefined : note
  }) as unknown as Annotation
}

function describedBook(head: readonly string[]): BookDescription {
  const members = new Map<string, unknown[]>()
  let last: unknown[] = []
  for (const row of head) {
    const [, name, value = ''] = /^(\w+):(?: +(.*))?$/.exec(row) ?? []
    const [, item] = /^\s*- +(.*)$/.exec(row) ?? []
    if (name !== undefined) members.set(name, (last = value === '' ? [] : listOf(headValue(value)).slice()))
    else if (item !== undefined) last.push(headValue(item))
  }
  const texts = (name: string): string[] => (members.get(name) ?? []).filter(text => typeof text === 'string')
  const [id] = texts('book')
  const [title] = texts('title')
  const authors = texts('authors')
  return {
    ...(id !== undefined && { id }),
    identifiers: texts('identifiers'),
    fields: { ...(title !== undefined && { title }), ...(authors.length > 0 && { authors }) }
  }
}

/** It is written as JSON; editors that show what stands in the head write it in YAML's shorter forms again. */
function headValue(text: string): unknown {
  const value = parsed(text)
  if (typeof value === 'string' || Array.isArray(value)) return value
  const quoted = /^'(.*)'$/.exec(text)?.[1]
  return quoted === undefined ? text.trim() : quoted.replaceAll("''", "'")
}

function parsedMap(text: string, line: number): Record<string, unknown> {
  const value = parsed(text)
  if (!isMap(value)) throw badFile(`line ${line}: what the comment says is not JSON`)
  if (isDeep(value)) throw badFile(`line ${line}: its values are nested over ${MAX_JSON_DEPTH} deep`)
  return value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const titleOf = ({ chapter, kind }: Pick<Annotation, 'chapter' | 'kind'>): string => {
  const words = [chapter, kind === 'bookmark' ? 'bookmark' : undefined].filter(word => word !== undefined && word !== '')
  return words.length === 0 ? '' : `### ${oneLine(words.join(' · '))}\n\n`
}

const escaped = (row: string): string => (LIKE_OURS.test(row) ? `\\${row}` : row)
const lines = (text: string, change: (row: string) => string): string => text.split('\n').map(change).join('\n')
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
