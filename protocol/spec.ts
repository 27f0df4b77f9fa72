import { ACTIONS, ANNOTATION_DOCUMENT, CHANGES, VIEWS } from './actions.ts'
import { ERRORS } from './errors.ts'
import { FRAMES } from './frames.ts'
import { LIMITS } from './limits.ts'
import type { Shape } from './shapes.ts'

/** The longest body that is written into its row; a longer one gets a table of its own. */
const MAX_INLINE_WORDS = 100

type Fields = Readonly<Record<string, Shape<unknown>>>

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

const fieldsOf = (body: Shape<unknown>): Fields | undefined => (body as { fields?: Fields }).fields

const nameOf = (name: string, { optional }: Shape<unknown>): string => (optional === true ? `${name}?` : name)

const fieldTable = (fields: Fields): string =>
  table(
    ['field', 'form'],
    Object.entries(fields).map(([name, form]) => [code(nameOf(name, form)), code(form.words)])
  )

const isLong = (body: Shape<unknown>): boolean => fieldsOf(body) !== undefined && body.words.length > MAX_INLINE_WORDS

function framesOf(end: 'client' | 'hub'): string {
  const rows = Object.entries(FRAMES).filter(([, { from }]) => from === end)
  const fields = (of: Fields): string =>
    Object.entries(of)
      .map(([name, form]) => code(`${nameOf(name, form)}: ${form.words}`))
      .join('<br>')
  return table(
    ['type', 'frame', 'fields, in this order', 'meaning'],
    rows.map(([kind, frame]) => [String(frame.type), code(kind), fields(frame.fields), frame.text])
  )
}

function actionTables(): string {
  const rows = Object.entries(ACTIONS).map(([kind, { key, keyName, body, text }]) => {
    const form = isLong(body) ? 'below' : code(body.words)
    return [code(kind), `${keyName}: ${code(key.words)}`, form, text]
  })
  const long = Object.entries(ACTIONS).filter(([, { body }]) => isLong(body))
  const tables = long.map(([kind, { body }]) => `The body of ${code(kind)}:\n\n${fieldTable(fieldsOf(body)!)}`)
  return [table(['kind', 'key', 'body', 'effect'], rows), ...tables].join('\n\n')
}

const changeTable = (): string =>
  table(
    ['kind', 'key', 'body', 'meaning'],
    Object.entries(CHANGES).map(([kind, row]) => {
      const isAction = (ACTIONS as Readonly<Record<string, unknown>>)[kind] === row
      return [
        code(kind),
        row.keyName,
        isAction ? 'as in the action' : code(row.body.words),
        isAction ? 'The action of this name.' : row.text
      ]
    })
  )

/** The parts of the written spec that the tables give, by the names of their markers. */
export const SPEC_TABLES: Readonly<Record<string, () => string>> = {
  'frames of the client': () => framesOf('client'),
  'frames of the hub': () => framesOf('hub'),
  actions: actionTables,
  changes: changeTable,
  views: () =>
    table(
      ['view', 'value'],
      Object.entries(VIEWS).map(([view, text]) => [code(view), text])
    ),
  errors: () =>
    table(
      ['code', 'close', 'HTTP', 'client', 'meaning'],
      Object.entries(ERRORS).map(([name, { close, http, retry, text }]) => [
        code(name),
        close === 0 ? '' : String(close),
        String(http),
        retry,
        text
      ])
    ),
  limits: () =>
    table(
      ['limit', 'value'],
      Object.entries(LIMITS).map(([name, value]) => [code(name), value.toLocaleString('en-US')])
    ),
  'annotation document': () =>
    table(
      ['name', 'in the document'],
      Object.entries(ANNOTATION_DOCUMENT).map(([name, value]) => [name, code(value)])
    )
}

/**
 * Writes the tables into a markdown text: each between `<!-- name -->` and `<!-- /name -->`. All else stays.
 * @throws Error when a marker is missing
 */
export function fillTables(markdown: string, tables = SPEC_TABLES): string {
  let filled = markdown
  for (const [name, write] of Object.entries(tables)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
    const start = filled.indexOf(open) + open.length
    const end = filled.indexOf(close, start)
    if (start < open.length || end < 0) throw new Error(`the text has no place for the table of ${name}`)
    filled = `${filled.slice(0, start)}\n\n${write()}\n\n${filled.slice(end)}`
  }
  return filled
}

/**
 * What two ends must agree on, as 16 hex digits: names, numbers, forms, codes and limits, without the words that explain them.
 * @param sha256 gives the hash of a text in hex
 */
export function wireHash(sha256: (text: string) => string): string {
  const forms = (fields: Fields): string[] => Object.entries(fields).map(([name, form]) => `${nameOf(name, form)}: ${form.words}`)
  const bodies = (rows: typeof ACTIONS | typeof CHANGES): string[][] =>
    Object.entries(rows).map(([kind, { key, body }]) => [kind, key.words, body.words])
  const declared = {
    frames: Object.entries(FRAMES).map(([kind, { type, from, fields }]) => [kind, type, from, forms(fields)]),
    actions: bodies(ACTIONS),
    changes: bodies(CHANGES),
    views: Object.keys(VIEWS),
    errors: Object.entries(ERRORS).map(([name, { close, http, retry }]) => [name, close, http, retry]),
    limits: LIMITS,
    annotationDocument: ANNOTATION_DOCUMENT
  }
  return sha256(JSON.stringify(declared)).slice(0, 16)
}
