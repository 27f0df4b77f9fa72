import { badFile } from './limits.ts'

/** A value of a Lua table literal. A table is a map of its keys; what is no number of a place in a list keeps its name. */
export type LuaValue = string | number | boolean | LuaTable
export type LuaTable = Map<string | number, LuaValue>

const MAX_DEPTH = 64
const MAX_VALUES = 2_000_000
const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
const NOT_FINITE = /^(?:math\.huge|nan|inf)(?![\w.])/

/**
 * Reads the table that a Lua file returns, as KOReader's settings are. Only literals are understood: nothing of the file is ever run.
 * @throws HubError `bad-request` naming the line
 */
export const readLua = (bytes: Uint8Array): LuaTable => new Reader(Buffer.from(bytes).toString('latin1')).file()

/** Strings of Lua are bytes, and are read as UTF-8 once they are whole. */
class Reader {
  readonly #text: string
  #at = 0
  #values = 0

  constructor(text: string) {
    this.#text = text
  }

  file(): LuaTable {
    this.#space()
    if (this.#match(/return(?!\w)/y) !== undefined) this.#space()
    if (this.#text[this.#at] !== '{') throw this.#wrong('a table')
    const table = this.#table(1)
    this.#space()
    if (this.#at < this.#text.length) throw this.#wrong('the end of the file')
    return table
  }

  #table(depth: number): LuaTable {
    if (depth > MAX_DEPTH) throw badFile(`line ${this.#line()}: tables are nested over ${MAX_DEPTH} deep`)
    const table: LuaTable = new Map()
    let next = 1
    this.#at += 1
    for (;;) {
      this.#space()
      if (this.#text[this.#at] === '}') {
        this.#at += 1
        return table
      }
      const key = this.#key()
      const value = this.#value(depth)
      if (value !== undefined) table.set(key ?? next, value)
      if (key === undefined) next += 1
      this.#space()
      if (this.#match(/[,;]/y) === undefined && this.#text[this.#at] !== '}') throw this.#wrong('a comma or the end of the table')
    }
  }

  /** Undefined where a value stands in its place in a list. */
  #key(): string | number | undefined {
    const name = this.#match(/([A-Za-z_]\w*)[ \t\r\n]*=(?!=)/y)?.[1]
    if (name !== undefined) {
      this.#space()
      return name
    }
    if (this.#text[this.#at] !== '[' || this.#isLongString()) return undefined
    this.#at += 1
    this.#space()
    const key = this.#value(MAX_DEPTH)
    if (typeof key !== 'string' && typeof key !== 'number') throw this.#wrong('a key')
    this.#space()
    if (this.#match(/\]/y) === undefined) throw this.#wrong(']')
    this.#space()
    if (this.#match(/=/y) === undefined) throw this.#wrong('=')
    this.#space()
    return key
  }

  /** Undefined for nil, and for numbers that are none. */
  #value(depth: number): LuaValue | undefined {
    this.#values += 1
    if (this.#values > MAX_VALUES) throw badFile(`line ${this.#line()}: over ${MAX_VALUES} values`)
    const sign = this.#text[this.#at]
    if (sign === '{') return this.#table(depth + 1)
    if (sign === '"' || sign === "'") return this.#string(sign)
    if (sign === '[') return this.#longString()
    const word = this.#match(/(?:true|false|nil)(?![\w.])/y)?.[0]
    if (word !== undefined) return word === 'nil' ? undefined : word === 'true'
    const number = this.#match(/-?(?:0[xX][0-9a-fA-F]{1,15}|\d{1,400}(?:\.\d{0,400})?(?:[eE][+-]?\d{1,4})?)(?![\w.])/y)?.[0]
    if (number !== undefined) {
      const found = number.startsWith('-') ? -Number(number.slice(1)) : Number(number)
      return Number.isFinite(found) ? found : undefined
    }
    const rest = this.#text.slice(this.#at, this.#at + 16)
    const nothing = NOT_FINITE.exec(rest.replace(/^-/, ''))?.[0]
    if (nothing === undefined) throw this.#wrong('a value')
    this.#at += nothing.length + (rest.startsWith('-') ? 1 : 0)
    return undefined
  }

  #string(quote: string): string {
    const start = this.#at
    let text = ''
    this.#at += 1
    for (;;) {
      text += this.#match(quote === '"' ? /[^"\\\n]*/y : /[^'\\\n]*/y)![0]
      const sign = this.#text[this.#at]
      if (sign === quote) {
        this.#at += 1
        return decoded(text)
      }
      if (sign !== '\\') {
        this.#at = start
        throw this.#wrong('a string that ends')
      }
      this.#at += 1
      text += this.#escape()
    }
  }

  #escape(): string {
    const code = this.#match(/\d{1,3}/y)?.[0]
    if (code !== undefined) {
      if (Number(code) > 255) throw this.#wrong('an escape')
      return String.fromCharCode(Number(code))
    }
    const hex = this.#match(/x([0-9a-fA-F]{2})/y)?.[1]
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16))
    const point = this.#match(/u\{([0-9a-fA-F]{1,6})\}/y)?.[1]
    if (point !== undefined) {
      if (parseInt(point, 16) > 0x10ffff) throw this.#wrong('an escape')
      return Buffer.from(String.fromCodePoint(parseInt(point, 16))).toString('latin1')
    }
    if (this.#match(/z\s*/y) !== undefined) return ''
    if (this.#match(/\r?\n/y) !== undefined) return '\n'
    const sign = this.#match(/[abfnrtv\\"'/]/y)?.[0]
    if (sign === undefined) throw this.#wrong('an escape')
    return ESCAPES[sign] ?? sign
  }

  #isLongString(): boolean {
    const pattern = /\[=*\[/y
    pattern.lastIndex = this.#at
    return pattern.test(this.#text)
  }

  #longString(): string {
    const signs = this.#match(/\[(=*)\[(?:\r?\n)?/y)?.[1]
    if (signs === undefined) throw this.#wrong('a value')
    const close = `]${signs}]`
    const end = this.#text.indexOf(close, this.#at)
    if (end === -1) throw this.#wrong('a string that ends')
    const text = this.#text.slice(this.#at, end)
    this.#at = end + close.length
    return decoded(text)
  }

  /** Passes by white space and comments. */
  #space(): void {
    for (;;) {
      this.#match(/[\s\ufeff]+/y)
      if (this.#at === 0) this.#match(/\xef\xbb\xbf/y)
      if (!this.#text.startsWith('--', this.#at)) return
      const signs = this.#match(/--\[(=*)\[/y)?.[1]
      const end = this.#text.indexOf(signs === undefined ? '\n' : `]${signs}]`, this.#at)
      this.#at = end === -1 ? this.#text.length : signs === undefined ? end : end + signs.length + 2
    }
  }

  /** What matches here, which is passed by. The pattern MUST be sticky. */
  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text) ?? undefined
    if (found !== undefined) this.#at += found[0].length
    return found
  }

  #line(): number {
    let line = 1
    for (let at = this.#text.indexOf('\n'); at !== -1 && at < this.#at; at = this.#text.indexOf('\n', at + 1)) line += 1
    return line
  }

  #wrong(expected: string): Error {
    return badFile(`line ${this.#line()}: expected ${expected}`)
  }
}

const decoded = (text: string): string => Buffer.from(text, 'latin1').toString('utf8')
