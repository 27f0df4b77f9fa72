/** What a body is written in. */
export type Format = 'json' | 'xml' | 'form'

/** Those of requests; those of answers are the first four, in the order in which they are preferred. */
export const FORMATS: Readonly<Record<string, Format>> = {
  'application/json': 'json',
  'text/json': 'json',
  'application/xml': 'xml',
  'text/xml': 'xml',
  'application/x-www-form-urlencoded': 'form'
}

export type Charset = 'utf-8' | 'utf-16'

/** A media type with its parameters, or an item of a list of such. */
export interface MediaType {
  /** In lower case; a charset's name where that is what is listed. */
  readonly name: string
  readonly charset: string | undefined
  /** How much it is wanted, from 0 to 1. */
  readonly weight: number
}

/** Reads a header that lists media types or charsets. What is no item of such a list is passed over. */
export function readList(header: string): MediaType[] {
  return (header.match(/(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []).map(readMediaType).filter(({ name }) => name !== '')
}

/** Reads one media type; without a name when there is none. */
export function readMediaType(text: string): MediaType {
  const [name = '', ...parameters] = (text.match(/(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []).map(part => part.trim())
  const parameter = (wanted: string): string | undefined => {
    const found = parameters.find(
      part =>
        part
          .slice(0, Math.max(0, part.indexOf('=')))
          .trim()
          .toLowerCase() === wanted
    )
    return (
      found &&
      found
        .slice(found.indexOf('=') + 1)
        .trim()
        .replace(/^"(.*)"$/s, '$1')
    )
  }
  const weight = Number(parameter('q') ?? 1)
  return {
    name: name.toLowerCase(),
    charset: parameter('charset')?.toLowerCase(),
    weight: weight >= 0 && weight <= 1 ? weight : 0
  }
}

/** The charset of a name, of the two that are known. */
export const charsetOf = (name: string | undefined): Charset | undefined =>
  name === 'utf-8' || name === 'utf-16' ? name : undefined
