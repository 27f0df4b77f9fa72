import { charsetOf, FORMATS, readList, readMediaType, type Charset, type MediaType } from './media-types.ts'

/** How an answer is written. */
export interface Written {
  readonly mediaType: string
  readonly format: 'json' | 'xml'
  readonly charset: Charset
}

/** What of a request's headers says how its answer is written. */
export interface Wishes {
  readonly accept: string | undefined
  readonly acceptCharset: string | undefined
  readonly contentType: string | undefined
  readonly requestedWith: string | undefined
}

/** In the order of preference. */
const ANSWERS = Object.keys(FORMATS).filter(name => FORMATS[name] !== 'form')

/**
 * How to write an answer: by what is accepted, else as the request was written, else as JSON. There is always a way, and so no 406.
 * @see https://learn.microsoft.com/en-us/aspnet/web-api/overview/formats-and-model-binding/content-negotiation
 */
export function negotiate({ accept = '', acceptCharset = '', contentType, requestedWith = '' }: Wishes): Written {
  const own = readMediaType(contentType ?? '')
  const isScript = requestedWith.toLowerCase() === 'xmlhttprequest' && ['', '*/*'].includes(accept.trim())
  const mediaType =
    (isScript ? 'application/json' : acceptedOf(readList(accept))) ??
    ANSWERS.find(name => name === own.name) ??
    'application/json'
  return {
    mediaType,
    format: FORMATS[mediaType] as Written['format'],
    charset: acceptedCharsetOf(readList(acceptCharset)) ?? charsetOf(own.charset) ?? 'utf-8'
  }
}

/** The one of the highest weight; of several the one that is named more closely, and of those the first of ours. */
function acceptedOf(accepted: readonly MediaType[]): string | undefined {
  let best: { name: string; weight: number; closeness: number } | undefined
  for (const name of ANSWERS)
    for (const range of accepted) {
      const closeness = closenessOf(range.name, name)
      if (closeness === 0 || range.weight === 0) continue
      if (best !== undefined && (range.weight - best.weight || closeness - best.closeness) <= 0) continue
      best = { name, weight: range.weight, closeness }
    }
  return best?.name
}

/** 0 when a range does not hold a media type; more the closer it names it. */
function closenessOf(range: string, name: string): number {
  if (range === name) return 3
  if (range === `${name.split('/')[0]}/*`) return 2
  return range === '*/*' ? 1 : 0
}

function acceptedCharsetOf(accepted: readonly MediaType[]): Charset | undefined {
  const wanted = accepted.filter(({ weight }) => weight > 0).sort((one, other) => other.weight - one.weight)
  for (const { name } of wanted) {
    if (name === '*') return 'utf-8'
    const charset = charsetOf(name)
    if (charset !== undefined) return charset
  }
  return undefined
}
