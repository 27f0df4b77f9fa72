import { LIMITS } from '../../protocol/index.ts'
import type { Annotation, Locators } from './annotation.ts'

const CFI = 'http://www.idpf.org/epub/linking/cfi/epub-cfi.html'
/** Other addresses of the same. */
const CFIS = /^https?:\/\/(www\.)?(idpf\.org\/epub\/linking\/cfi|w3\.org\/TR\/epub-cfi)/i
const LOCATOR = 'urn:lectern:locator:'
/** What is kept as it is, as JSON, under a name of this beginning. */
const OPAQUE = 'selector:'
/** A longer text is what a document may hold, and no selector that was kept. */
const MAX_OPAQUE_LENGTH = 4_096
const OFFSET = /^(?:0|[1-9]\d{0,14})$/

type Selector = { readonly type: string } & Readonly<Record<string, unknown>>

/**
 * Where an annotation is, as selectors of the Web Annotation model: one for each way in which it is known.
 * @see https://www.w3.org/TR/annotation-model/#selectors
 */
export function selectorsOf({ quote, locators = {} }: Pick<Annotation, 'quote' | 'locators'>, css: string): Selector[] {
  const left = { ...locators } as Record<string, string>
  const take = (name: string): string => {
    const text = left[name]!
    delete left[name]
    return text
  }
  const has = (name: string): boolean => Object.hasOwn(left, name)
  const selectors: Selector[] = []
  if (quote !== undefined)
    selectors.push({
      type: 'TextQuoteSelector',
      exact: quote,
      ...(has('prefix') && { prefix: take('prefix') }),
      ...(has('suffix') && { suffix: take('suffix') })
    })
  if (has('cfi')) selectors.push({ type: 'FragmentSelector', conformsTo: CFI, value: take('cfi') })
  if (has('xpath')) selectors.push({ type: 'XPathSelector', value: take('xpath') })
  if (has('css')) selectors.push({ type: css, value: take('css') })
  if (OFFSET.test(left['start'] ?? '') && OFFSET.test(left['end'] ?? ''))
    selectors.push({ type: 'TextPositionSelector', start: Number(take('start')), end: Number(take('end')) })
  for (const [name, text] of Object.entries(left))
    selectors.push(
      opaque(name, text) ?? { type: 'FragmentSelector', conformsTo: LOCATOR + encodeURIComponent(name), value: text }
    )
  return selectors
}

/** The place that selectors of any app name. What is not understood is kept as it is, so that `selectorsOf` gives it back. */
export function placeOf(selectors: readonly unknown[]): { readonly quote?: string; readonly locators?: Locators } {
  const locators: Record<string, string> = {}
  let quote: string | undefined
  for (const selector of selectors) {
    // More than can be kept: whoever checks them says so.
    if (Object.keys(locators).length > LIMITS.maxMapEntries) break
    const found = understood(selector)
    const isFree = found !== undefined && Object.keys(found.locators).every(name => !Object.hasOwn(locators, name))
    if (isFree && (found.quote === undefined || quote === undefined)) {
      quote ??= found.quote
      Object.assign(locators, found.locators)
    } else locators[freeName(locators, selector)] = JSON.stringify(selector)
  }
  return { ...(quote !== undefined && { quote }), ...(Object.keys(locators).length > 0 && { locators }) }
}

/** Undefined unless all of a selector can be said in locators. */
function understood(selector: unknown): { quote?: string; locators: Record<string, string> } | undefined {
  if (typeof selector !== 'object' || selector === null) return undefined
  const { type, ...members } = selector as Record<string, unknown>
  const only = (...names: string[]): boolean => Object.keys(members).every(name => names.includes(name))
  const isText = (name: string): boolean => typeof members[name] === 'string'
  const given = (name: string): boolean => members[name] === undefined || isText(name)
  const { value, exact, conformsTo, start, end } = members as Record<string, string>
  if (
    type === 'TextQuoteSelector' &&
    only('exact', 'prefix', 'suffix') &&
    isText('exact') &&
    given('prefix') &&
    given('suffix')
  ) {
    const around = Object.fromEntries(Object.entries(members).filter(([name, text]) => name !== 'exact' && text !== undefined))
    return { quote: exact!, locators: around as Record<string, string> }
  }
  if (type === 'TextPositionSelector' && only('start', 'end')) {
    const isPlace = [start, end].every(offset => typeof offset === 'number' && OFFSET.test(String(offset)))
    return isPlace ? { locators: { start: String(start), end: String(end) } } : undefined
  }
  if (!isText('value')) return undefined
  if (type === 'FragmentSelector' && only('conformsTo', 'value')) {
    if (CFIS.test(String(conformsTo)) || (conformsTo === undefined && value!.startsWith('epubcfi(')))
      return { locators: { cfi: value! } }
    const name = nameOf(conformsTo)
    return name === undefined ? undefined : { locators: { [name]: value! } }
  }
  if (!only('value')) return undefined
  if (type === 'XPathSelector') return { locators: { xpath: value! } }
  return type === 'CssSelector' || type === 'CSSSelector' ? { locators: { css: value! } } : undefined
}

function nameOf(conformsTo: unknown): string | undefined {
  if (typeof conformsTo !== 'string' || !conformsTo.startsWith(LOCATOR)) return undefined
  try {
    return decodeURIComponent(conformsTo.slice(LOCATOR.length))
  } catch {
    return undefined
  }
}

/** The selector that a locator keeps; undefined unless reading it again gives that locator. */
function opaque(name: string, text: string): Selector | undefined {
  if (!name.startsWith(OPAQUE) || text.length > MAX_OPAQUE_LENGTH) return undefined
  try {
    const selector = JSON.parse(text) as Selector
    const isSame = JSON.stringify(selector) === text && understood(selector) === undefined && freeName({}, selector) === name
    return isSame ? selector : undefined
  } catch {
    return undefined
  }
}

function freeName(locators: Locators, selector: unknown): string {
  const type = (selector as { type?: unknown } | null)?.type
  const name = OPAQUE + (typeof type === 'string' ? type.slice(0, 64) : '')
  if (!Object.hasOwn(locators, name)) return name
  for (let count = 2; ; count++) if (!Object.hasOwn(locators, `${name} ${count}`)) return `${name} ${count}`
}
