import { BadBody } from './bad-body.ts'
import { MAX_NAME_LENGTH } from './extra.ts'
import { shown } from './scalars.ts'

const MAX_DEPTH = 256
/** Values of one body: beyond what any that is within the bounds of bytes needs. */
const MAX_VALUES = 250_000

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i
const NAME = /[\p{L}\p{Nl}\p{Nd}_$]+/uy
const WORD = /[^\s,:{}[\]"'/]+/y
const BLANKS = /\s+/y
/** A part of a string: an expression of V8 keeps something for each turn of its loops, and a string may have millions of escapes. */
const PART = { '"': /[^"\\]*(?:\\[^][^"\\]*){0,1000}/y, "'": /[^'\\]*(?:\\[^][^'\\]*){0,1000}/y }
/** Escapes that only a lenient reader takes, and those beside them: they cost more. */
const MAX_LENIENT_ESCAPES = 50_000
const ESCAPED: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '\\': '\\',
  '"': '"',
  "'": "'",
  '/': '/'
}

/** A value without members, as it stands in a text. */
export interface JsonScalar {
  readonly kind: 'string' | 'number' | 'bool' | 'null'
  /** A string's content; else what is written. */
  readonly text: string
}

/**
 * A place in a JSON text that moves along it, as leniently as Json.NET: single quotes, comments, names without quotes, a comma behind the last item. Depth and count of values are bounded;
 * what is between two calls costs no memory.
 */
export class JsonText {
  readonly #text: string
  #at = 0
  #depth = 0
  #values = 0
  #line = 1
  #lineStart = 0

  constructor(text: string) {
    this.#text = text
  }

  /** How far it has got, in UTF-16 units. */
  get at(): number {
    return this.#at
  }

  /** The line and the column that it has got to, as Json.NET counts them. */
  place(): string {
    for (let end; (end = this.#text.indexOf('\n', this.#lineStart)) !== -1 && end < this.#at; this.#line++)
      this.#lineStart = end + 1
    return `line ${this.#line}, position ${this.#at - this.#lineStart}`
  }

  /**
   * The character that the next value begins with, or what stands in its stead; empty at the end of the text.
   * @throws BadBody for a comment without end
   */
  next(): string {
    const text = this.#text
    for (;;) {
      this.#match(BLANKS)
      const character = text.charAt(this.#at)
      if (character !== '/') return character
      this.#skipComment()
    }
  }

  /** Enters the object or list that begins here. @throws BadBody when it is too deep */
  enter(): void {
    this.#count()
    if (++this.#depth > MAX_DEPTH) throw new BadBody(`The reader's MaxDepth of ${MAX_DEPTH} has been exceeded.`)
    this.#at++
  }

  /**
   * The name of an object's next member; undefined at its end, which is left.
   * @throws BadBody
   */
  nextName(isFirst: boolean): string | undefined {
    const character = this.#nextAfterComma(isFirst, '}')
    if (character === '}') return this.#leave()
    const isQuoted = character === '"' || character === "'"
    const name = isQuoted ? this.#string(character) : this.#match(NAME)
    if (!isQuoted && name === '') throw this.#unexpected('Invalid property identifier character')
    if (this.next() !== ':') throw this.#unexpected("Invalid character after parsing property name. Expected ':' but got")
    this.#at++
    if (name.length > MAX_NAME_LENGTH) throw new BadBody(`A name is longer than ${MAX_NAME_LENGTH} characters.`)
    return name
  }

  /**
   * Whether a list has another item, to which it moves; its end is left.
   * @throws BadBody
   */
  nextItem(isFirst: boolean): boolean {
    if (this.#nextAfterComma(isFirst, ']') !== ']') return true
    this.#leave()
    return false
  }

  /** Reads the value that begins here, which is no object or list. @throws BadBody */
  scalar(): JsonScalar {
    this.#count()
    const character = this.next()
    if (character === '"' || character === "'") return { kind: 'string', text: this.#string(character) }
    const start = this.#at
    const text = this.#match(WORD)
    if (text === 'null') return { kind: 'null', text }
    if (text === 'true' || text === 'false') return { kind: 'bool', text }
    // What is no number, but one to Json.NET, has a text all the same.
    if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return { kind: 'string', text }
    if (NUMBER.test(text)) return { kind: 'number', text }
    this.#at = start
    throw this.#unexpected('Unexpected character encountered while parsing value')
  }

  /** Passes over the value that begins here. @throws BadBody, also when it is longer than `maxLength` */
  skip(maxLength: number): void {
    this.#walk(maxLength, undefined)
  }

  /**
   * The text of the value that begins here: byte for byte when it is JSON, and the same value as JSON when it is so only to a lenient reader.
   * @throws BadBody, also when it is longer than `maxLength`
   */
  raw(maxLength: number): string {
    this.next()
    const [start, depth, values] = [this.#at, this.#depth, this.#values]
    this.#walk(maxLength, undefined)
    const text = this.#text.slice(start, this.#at)
    try {
      JSON.parse(text)
      return text
    } catch {
      const strict: string[] = []
      ;[this.#at, this.#depth, this.#values] = [start, depth, values]
      this.#walk(maxLength, strict)
      return strict.join('')
    }
  }

  #walk(maxLength: number, strict: string[] | undefined): void {
    const end = this.#at + maxLength
    const open: ('}' | ']')[] = []
    let isFirst = true
    for (;;) {
      const character = this.next()
      if (character === '{' || character === '[') {
        this.enter()
        open.push(character === '{' ? '}' : ']')
        strict?.push(character)
        isFirst = true
      } else {
        const { kind, text } = this.scalar()
        strict?.push(kind === 'string' ? JSON.stringify(text) : text)
        isFirst = false
      }
      if (this.#at > end) throw new BadBody(`A value that has no place in the model is longer than ${maxLength} characters.`)
      // On to the next value, out of all that ends before it.
      for (let closer; (closer = open.at(-1)) !== undefined; isFirst = false) {
        if (closer === '}') {
          const name = this.nextName(isFirst)
          if (name !== undefined) {
            strict?.push(`${isFirst ? '' : ','}${JSON.stringify(name)}:`)
            break
          }
        } else if (this.nextItem(isFirst)) {
          if (!isFirst) strict?.push(',')
          break
        }
        strict?.push(closer)
        open.pop()
      }
      if (open.length === 0) return
    }
  }

  #count(): void {
    if (++this.#values > MAX_VALUES) throw new BadBody(`The body has more than ${MAX_VALUES} values.`)
  }

  #leave(): undefined {
    this.#at++
    this.#depth--
  }

  #nextAfterComma(isFirst: boolean, closer: string): string {
    const character = this.next()
    if (isFirst || character === closer) return character
    if (character !== ',') throw this.#unexpected('After parsing a value an unexpected character was encountered')
    this.#at++
    return this.next()
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const text = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += text.length
    return text
  }

  #string(quote: '"' | "'"): string {
    const start = ++this.#at
    let next: string
    // An end that is looked for behind a backslash at the text's own end is never found.
    do {
      const from = this.#at
      this.#match(PART[quote])
      next = this.#text.charAt(this.#at)
      if (next !== quote && (next === '' || this.#at === from))
        throw new BadBody(`Unterminated string. Expected delimiter: ${quote}.`)
    } while (next !== quote)
    const written = this.#text.slice(start, this.#at++)
    const text = written.includes('\\') ? unescaped(written) : written
    // An escape can name half of a character, which no UTF-8 can hold.
    return text === written ? text : text.replace(/[\ud800-\udfff]/gu, '\ufffd')
  }

  #skipComment(): void {
    this.#count()
    const isLine = this.#text.charAt(this.#at + 1) === '/'
    if (!isLine && this.#text.charAt(this.#at + 1) !== '*') throw this.#unexpected('Error parsing comment. Expected: *, got')
    const end = this.#text.indexOf(isLine ? '\n' : '*/', this.#at + 2)
    if (end === -1 && !isLine) throw new BadBody('Unexpected end while parsing comment.')
    this.#at = end === -1 ? this.#text.length : end + (isLine ? 1 : 2)
  }

  #unexpected(what: string): BadBody {
    const character = this.#text.charAt(this.#at)
    return new BadBody(character === '' ? 'Unexpected end when reading JSON.' : `${what}: ${shown(character)}.`)
  }
}

/** What a string's escapes stand for. @throws BadBody */
function unescaped(written: string): string {
  try {
    return JSON.parse(`"${written}"`) as string
  } catch {
    // All of them are found before the first is replaced.
    for (let at = -2, count = 0; (at = written.indexOf('\\', at + 2)) !== -1;)
      if (++count > MAX_LENIENT_ESCAPES) throw new BadBody(`A string has more than ${MAX_LENIENT_ESCAPES} escapes.`)
    return written.replace(/\\(u[0-9a-f]{4}|[^])/gi, (whole, escape: string) => {
      if (escape.length === 5) return String.fromCharCode(parseInt(escape.slice(1), 16))
      const text = ESCAPED[escape]
      if (text === undefined) throw new BadBody(`Bad JSON escape sequence: ${whole}.`)
      return text
    })
  }
}
