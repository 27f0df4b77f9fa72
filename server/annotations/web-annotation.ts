import { isSameValue } from '../../protocol/index.ts'
import { sparse, type Annotation } from './annotation.ts'
import { jsonOf, plainOf } from './json-values.ts'
import { placeOf, selectorsOf } from './selectors.ts'
import { annotationOfUri, annotationUri, bookOfUri, bookUri, stableId } from './uris.ts'

/** How one of the two vocabularies says what the other leaves open. */
export interface Vocabulary {
  readonly css: 'CssSelector' | 'CSSSelector'
  /** Colours and styles that it has words for; all others are ours. */
  readonly colors: readonly string[]
  readonly styles: readonly string[]
  /** It tells highlights, notes and bookmarks from each other; else only bookmarks. */
  readonly namesKinds: boolean
  /** The resource inside of the book is the source, and pages and chapters have words. */
  readonly knowsBooks: boolean
}

type Members = Record<string, unknown>

const CONTEXT = 'http://www.w3.org/ns/anno.jsonld'
const MOTIVATIONS = { highlight: 'highlighting', note: 'commenting', bookmark: 'bookmarking' } as const
/** Purposes of a body that is no comment: its text is a tag, or a colour. */
const NO_NOTES: readonly unknown[] = ['tagging', 'classifying', 'identifying', 'linking', 'highlighting']
/** Where members are kept that mean nothing to the hub. */
const KEPT = 'webAnnotation'

/** An annotation in the Web Annotation model. What the vocabulary has no word for stands in the member `lectern`. */
export function itemOf(annotation: Annotation, book: string, vocabulary: Vocabulary): Members {
  const kept = annotation.extra?.[KEPT]
  if (isMap(kept)) {
    const item = build(annotation, book, vocabulary, jsonOf(kept) as Members)
    // What was kept may be anything that somebody wrote there: it goes back to its place only if it is found there again.
    if (isSameValue(annotationOfItem(item).annotation, annotation)) return item
  }
  return build(annotation, book, vocabulary)
}

function build(annotation: Annotation, book: string, vocabulary: Vocabulary, kept?: Members): Members {
  const { id, kind, color, style, note, chapter, locators = {}, extra = {}, createdAtMs, updatedAtMs } = annotation
  const { knowsBooks, namesKinds } = vocabulary
  const { [KEPT]: _, ...rest } = extra
  const ours = kept === undefined ? extra : rest
  const isColor = color !== undefined && vocabulary.colors.includes(color)
  const isStyle = style !== undefined && vocabulary.styles.includes(style)
  const named = namesKinds ? kind : kind === 'bookmark' ? kind : undefined
  const { href, page, ...places } = locators as Record<string, string>
  const isSource = knowsBooks && href !== undefined && isSourceOfResource(href)
  const keptMeta = mapIn(mapIn(kept, 'target'), 'meta')
  const meta =
    knowsBooks && keptMeta === undefined ? sparse({ headings: chapter ? [{ level: 1, txt: chapter }] : undefined, page }) : {}
  const selectors = selectorsOf(
    {
      ...annotation,
      locators: { ...places, ...sparse({ href: isSource ? undefined : href, page: 'page' in meta ? undefined : page }) }
    },
    vocabulary.css
  )
  const hasBody = note !== undefined || isColor || isStyle || mapIn(kept, 'body') !== undefined
  const body = {
    type: 'TextualBody',
    value: note ?? '',
    ...(note !== undefined && namesKinds && { format: 'text/plain', purpose: 'commenting' }),
    ...sparse({ color: isColor ? color : undefined, highlight: isStyle ? style : undefined }),
    ...mapIn(kept, 'body')
  }
  const target = {
    source: isSource ? href : bookUri(book),
    ...(selectors.length > 0 && { selector: selectors }),
    ...(Object.keys(meta).length > 0 && { meta }),
    ...mapIn(kept, 'target')
  }
  const bodies = [...(hasBody ? [body] : []), ...listIn(kept, 'bodies')]
  const targets = [target, ...listIn(kept, 'targets')]
  const lectern = sparse({
    kind: kind === (named ?? inferred(annotation)) ? undefined : (kind ?? null),
    color: isColor ? undefined : color,
    style: isStyle ? undefined : style,
    chapter: 'headings' in meta ? undefined : chapter,
    // ISO 8601 ends before our times do.
    createdAtMs: timeOf(createdAtMs) === undefined ? createdAtMs : undefined,
    updatedAtMs: timeOf(updatedAtMs) === undefined ? updatedAtMs : undefined,
    extra: Object.keys(ours).length > 0 || (kept === undefined && annotation.extra !== undefined) ? jsonOf(ours) : undefined
  })
  return {
    ...(knowsBooks && { '@context': CONTEXT }),
    id: annotationUri(id),
    type: 'Annotation',
    ...(named !== undefined && { motivation: MOTIVATIONS[named] }),
    ...sparse({ created: timeOf(createdAtMs), modified: timeOf(updatedAtMs) }),
    ...(bodies.length > 0 && { body: bodies.length > 1 ? bodies : bodies[0] }),
    target: targets.length > 1 ? targets : target,
    ...mapIn(kept, 'annotation'),
    ...(Object.keys(lectern).length > 0 && { lectern })
  }
}

/** An annotation of any app, and the book that it is in, where that is one of a library. */
export function annotationOfItem(item: Members): { readonly annotation: Annotation; readonly book: string | undefined } {
  const { '@context': _, id, type: __, motivation, created, modified, body, bodyValue, target, lectern, ...others } = item
  // The short way of the standard to say a note.
  const isShort = typeof bodyValue === 'string' && body === undefined
  const members = isShort || bodyValue === undefined ? others : { ...others, bodyValue }
  const bodies = isShort ? [{ type: 'TextualBody', value: bodyValue }] : listOf(body)
  const targets = listOf(target)
  const noteAt = bodies.findIndex(isNote)
  const { type: ___, value, format, purpose, color, highlight, ...bodyMembers } = (bodies[noteAt] ?? {}) as Members
  const first: Members = isMap(targets[0]) ? targets[0] : { source: targets[0] }
  const { source, selector, meta, ...targetMembers } = first
  const uri = typeof source === 'string' ? source : isMap(source) && typeof source['id'] === 'string' ? source['id'] : ''
  const book = bookOfUri(uri)
  const place = placeOf(listOf(selector))
  const crumbs = readMeta(meta)
  const locators = { ...place.locators, ...(book === undefined && uri !== '' && { href: uri }), ...crumbs.locators }
  const kind = kindOf(motivation)
  const keptBody = {
    ...bodyMembers,
    ...sparse({ format: isPlainText(format) ? undefined : format, purpose: purpose === 'commenting' ? undefined : purpose })
  }
  const kept = sparse({
    annotation: whenAny({ ...members, ...(kind === undefined && motivation !== undefined && { motivation }) }),
    body: whenAny(keptBody),
    target: whenAny({ ...targetMembers, ...(crumbs.kept && { meta }) }),
    bodies: bodies.length > 1 || (noteAt === -1 && bodies.length > 0) ? bodies.filter((_, index) => index !== noteAt) : undefined,
    targets: targets.length > 1 ? targets.slice(1) : undefined
  })
  const held = {
    ...place,
    note: value === '' ? undefined : value,
    color,
    style: highlight,
    chapter: crumbs.chapter,
    extra: Object.keys(kept).length > 0 ? { [KEPT]: plainOf(kept) } : undefined,
    locators: Object.keys(locators).length > 0 ? locators : undefined
  }
  const ours = isMap(lectern) ? (plainOf(lectern) as Members) : {}
  const extra = isMap(held.extra) && isMap(ours['extra']) ? { ...ours['extra'], ...held.extra } : (ours['extra'] ?? held.extra)
  const annotation = sparse({
    ...held,
    kind: kind ?? inferred(held),
    extra,
    createdAtMs: msOf(created),
    updatedAtMs: msOf(modified),
    ...pick(ours, ['kind', 'color', 'style', 'chapter', 'createdAtMs', 'updatedAtMs']),
    id: typeof id === 'string' ? annotationOfUri(id) : stableId(JSON.stringify([created, target]))
  })
  if (annotation.kind === null) delete annotation.kind
  return { annotation: annotation as Annotation, book }
}

const isNote = (body: unknown): boolean =>
  isMap(body) &&
  body['type'] === 'TextualBody' &&
  typeof body['value'] === 'string' &&
  (body['purpose'] === undefined || listOf(body['purpose']).some(purpose => !NO_NOTES.includes(purpose)))

/** A source that is a resource inside of a book, and not a book. */
const isSourceOfResource = (href: string): boolean => href !== '' && bookOfUri(href) === undefined

/** What an annotation is of which nothing says it. */
const inferred = ({ quote, note }: { readonly quote?: unknown; readonly note?: unknown }): 'note' | 'highlight' =>
  quote === undefined && note !== undefined ? 'note' : 'highlight'

function kindOf(motivation: unknown): Annotation['kind'] {
  const words = listOf(motivation)
  if (words.length > 1) return undefined
  return (Object.keys(MOTIVATIONS) as (keyof typeof MOTIVATIONS)[]).find(kind => MOTIVATIONS[kind] === words[0])
}

/** Readium's breadcrumbs. More than one heading and a page are kept as they are. */
function readMeta(meta: unknown): { chapter?: string; locators?: { page: string }; kept: boolean } {
  if (!isMap(meta)) return { kept: meta !== undefined }
  const { headings, page, ...others } = meta
  const list = listOf(headings)
  const last = list.at(-1)
  const chapter = isMap(last) && typeof last['txt'] === 'string' && last['txt'] !== '' ? last['txt'] : undefined
  const isSimple = list.length === 0 || (list.length === 1 && isSameValue(last, { level: 1, txt: chapter }))
  const isOurs = isSimple && Object.keys(others).length === 0 && (page === undefined || typeof page === 'string')
  return {
    ...(chapter !== undefined && { chapter }),
    ...(isOurs && typeof page === 'string' && { locators: { page } }),
    kept: !isOurs
  }
}

export const timeOf = (ms: number | undefined): string | undefined =>
  ms === undefined || ms > 8.64e15 ? undefined : new Date(ms).toISOString()

/** Undefined for what is no ISO 8601 date of the Common Era. */
export function msOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^[+-]?\d{4,6}-\d\d(-\d\d)?(T[\d:.,]+(Z|[+-]\d\d:?\d\d)?)?$/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms < 0 ? undefined : ms
}

const isPlainText = (format: unknown): boolean => format === undefined || format === 'text/plain' || format === 'plain/text'

export const isMap = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value])

const mapIn = (held: Members | undefined, name: string): Members | undefined => {
  const value = held?.[name]
  return isMap(value) ? value : undefined
}
const listIn = (held: Members | undefined, name: string): readonly unknown[] => {
  const value = held?.[name]
  return Array.isArray(value) ? value : []
}
const whenAny = (members: Members): Members | undefined => (Object.keys(members).length > 0 ? members : undefined)
const pick = (from: Members, names: readonly string[]): Members =>
  Object.fromEntries(names.filter(name => Object.hasOwn(from, name)).map(name => [name, from[name]]))
