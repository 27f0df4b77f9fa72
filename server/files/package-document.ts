import type { ActionBody } from '../../protocol/index.ts'
import { identifierKey } from './identifiers.ts'
import { oneLine, plainText, TextBudget } from './text.ts'
import type { XmlElement } from './xml.ts'
import { badFile } from './zip.ts'

const OPF = 'http://www.idpf.org/2007/opf'
const DC = 'http://purl.org/dc/elements/1.1/'

/** Leaves room in an action's body for identifiers, and for what its sender adds: cover, file and shelves. */
const MAX_TEXT_BYTES = 48_000

/** Far more than a description's limit, markup included; what follows is not looked at. */
const MAX_DESCRIPTION_SOURCE = 262_144

/** What may be said of one kind about one element. Without a bound, many about many elements of one id would take for ever. */
const MAX_REFINEMENTS = 8

/** Calibre's way to say that a date is not known. */
const NO_DATE = /^0101-/

/** What a package document says about its book, as the fields of a `book.put`. */
export type BookFields = Pick<
  ActionBody<'book.put'>,
  | 'title'
  | 'subtitle'
  | 'authors'
  | 'language'
  | 'publisher'
  | 'published'
  | 'description'
  | 'series'
  | 'seriesIndex'
  | 'subjects'
  | 'identifiers'
>

export interface PackageDocument {
  readonly fields: BookFields
  /** Where the cover's image is, as a URL relative to the package document. */
  readonly coverHref: string | undefined
}

/**
 * Reads the metadata of EPUB 2 and 3, and finds the cover.
 *
 * @throws HubError `bad-request` when the root is no `package`
 * @see https://www.w3.org/TR/epub-33/#sec-package-doc
 * @see https://idpf.org/epub/20/spec/OPF_2.0.1_draft.htm
 */
export function readPackageDocument(root: XmlElement): PackageDocument {
  if (root.uri !== OPF || root.local !== 'package') throw badFile('the package document does not begin with a package element')
  const metadata = new Metadata(root)
  return { fields: readFields(metadata), coverHref: findCover(root, metadata) }
}

/** The elements of `metadata`, and what EPUB 3's refining `meta` elements and EPUB 2's `opf:` attributes say about each. */
class Metadata {
  readonly #elements: readonly XmlElement[]
  readonly #refinements = new Map<string, string[]>()

  constructor(root: XmlElement) {
    const metadata = childrenOf(root, 'metadata').flatMap(element => element.children)
    // Books of EPUB's first years put a dc-metadata and an x-metadata in between.
    this.#elements = metadata.flatMap(element => [element, ...element.children])
    for (const meta of this.metas()) {
      const key = `${meta.attributes.get('property') ?? ''} ${meta.attributes.get('refines')?.replace(/^#/, '') ?? ''}`
      const known = this.#refinements.get(key)
      if (known === undefined) this.#refinements.set(key, [refinementOf(meta.text)])
      else if (known.length < MAX_REFINEMENTS) known.push(refinementOf(meta.text))
    }
  }

  /** Dublin Core elements that have text, in the file's order. */
  dc(local: string): XmlElement[] {
    return this.#elements.filter(element => element.uri === DC && element.local === local && element.text.trim() !== '')
  }

  metas(): XmlElement[] {
    return this.#elements.filter(element => element.uri === OPF && element.local === 'meta')
  }

  /** What an EPUB 2 `meta` says under a name. */
  named(name: string): string | undefined {
    const content = this.metas()
      .find(meta => meta.attributes.get('name') === name)
      ?.attributes.get('content')
    return content === undefined || oneLine(content) === '' ? undefined : oneLine(content)
  }

  /** What is said about an element, in lower case: by `meta` elements that refine it, or by an `opf:` attribute. */
  about(element: XmlElement, property: string, attribute = property): readonly string[] {
    const id = element.attributes.get('id')
    const refined = id === undefined ? [] : (this.#refinements.get(`${property} ${id}`) ?? [])
    const own = element.attributes.get(`{${OPF}}${attribute}`) ?? element.attributes.get(attribute)
    return own === undefined ? refined : [...refined, refinementOf(own)]
  }
}

const refinementOf = (text: string): string => oneLine(text).toLowerCase()

function readFields(metadata: Metadata): BookFields {
  const budget = new TextBudget(MAX_TEXT_BYTES)
  const fields: BookFields = {}
  const put = (
    name: 'title' | 'subtitle' | 'language' | 'publisher' | 'published' | 'series' | 'description',
    text: string | undefined,
    maxLength: number
  ): void => {
    const taken = text === undefined ? undefined : budget.take(text, maxLength)
    if (taken !== undefined) fields[name] = taken
  }
  const texts = (elements: XmlElement[], maxItems: number): string[] =>
    [...new Set(elements.map(element => oneLine(element.text)))]
      .slice(0, maxItems)
      .map(text => budget.take(text, 512))
      .filter(text => text !== undefined)
  const firstText = (local: string): string | undefined => metadata.dc(local).map(element => oneLine(element.text))[0]

  const { title, subtitle } = readTitles(metadata)
  put('title', title, 1_024)
  put('subtitle', subtitle, 1_024)
  const authors = texts(findAuthors(metadata), 64)
  if (authors.length > 0) fields.authors = authors
  const { series, seriesIndex } = readSeries(metadata)
  put('series', series, 512)
  if (seriesIndex !== undefined) fields.seriesIndex = seriesIndex
  put('language', firstText('language'), 64)
  put('publisher', firstText('publisher'), 512)
  put('published', readPublished(metadata), 64)
  const identifiers = readIdentifiers(metadata)
  if (Object.keys(identifiers).length > 0) fields.identifiers = identifiers
  const subjects = texts(metadata.dc('subject'), 128)
  if (subjects.length > 0) fields.subjects = subjects
  const description = metadata.dc('description')[0]?.text.slice(0, MAX_DESCRIPTION_SOURCE)
  put('description', plainText(description ?? ''), 32_768)
  return fields
}

function readTitles(metadata: Metadata): { title: string | undefined; subtitle: string | undefined } {
  const titles = metadata
    .dc('title')
    .map(element => ({ text: oneLine(element.text), type: metadata.about(element, 'title-type')[0] }))
  const main = titles.find(({ type }) => type === 'main') ?? titles.find(({ type }) => type === undefined) ?? titles[0]
  const subtitle = titles.find(title => title.type === 'subtitle' && title !== main)
  return { title: main?.text, subtitle: subtitle?.text }
}

/** Creators who are authors, or of whom nothing is said; all creators when every one is something else. */
function findAuthors(metadata: Metadata): XmlElement[] {
  const creators = metadata.dc('creator')
  const authors = creators.filter(creator => {
    const roles = metadata.about(creator, 'role')
    return roles.length === 0 || roles.includes('aut')
  })
  return authors.length > 0 ? authors : creators
}

function readPublished(metadata: Metadata): string | undefined {
  const dates = metadata
    .dc('date')
    .map(element => ({ text: oneLine(element.text), event: metadata.about(element, 'event')[0] }))
    .filter(({ text }) => !NO_DATE.test(text))
  const date = dates.find(({ event }) => event === 'publication') ?? dates.find(({ event }) => event === undefined)
  return date?.text
}

function readSeries(metadata: Metadata): { series: string | undefined; seriesIndex: number | undefined } {
  const collections = metadata.metas().filter(meta => meta.attributes.get('property') === 'belongs-to-collection')
  const collection =
    collections.find(meta => metadata.about(meta, 'collection-type')[0] === 'series') ??
    collections.find(meta => metadata.about(meta, 'collection-type').length === 0)
  const name = collection === undefined ? '' : oneLine(collection.text)
  const series = name === '' ? metadata.named('calibre:series') : name
  const index =
    collection === undefined || name === ''
      ? metadata.named('calibre:series_index')
      : metadata.about(collection, 'group-position')[0]
  if (series === undefined || index === undefined || !/^\d{1,7}(?:\.\d{1,9})?$/.test(index))
    return { series, seriesIndex: undefined }
  return { series, seriesIndex: Number(index) <= 1_000_000 ? Number(index) : undefined }
}

function readIdentifiers(metadata: Metadata): Record<string, string> {
  const keys = metadata
    .dc('identifier')
    .map(element => identifierKey(oneLine(element.text), metadata.about(element, 'identifier-type', 'scheme')[0] ?? ''))
    .filter(key => key !== undefined)
  return Object.fromEntries([...new Set(keys)].slice(0, 64).map(key => [key, 'epub']))
}

function findCover(root: XmlElement, metadata: Metadata): string | undefined {
  const items = childrenOf(root, 'manifest').flatMap(manifest => childrenOf(manifest, 'item'))
  const named = metadata.named('cover')
  const item =
    items.find(item => item.attributes.get('properties')?.split(/\s+/).includes('cover-image')) ??
    (named === undefined
      ? undefined
      : (items.find(item => item.attributes.get('id') === named) ?? items.find(item => item.attributes.get('href') === named)))
  return item?.attributes.get('href')
}

function childrenOf(element: XmlElement, local: string): XmlElement[] {
  return element.children.filter(child => child.uri === OPF && child.local === local)
}
