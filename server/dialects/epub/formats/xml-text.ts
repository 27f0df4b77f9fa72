import type { XmlElement } from '../../../files/xml.ts'
import { escapeXml } from '../../dot-net.ts'

/**
 * An element as a text that can stand anywhere: what namespaces it needs it declares itself.
 * @returns undefined when that is longer than `maxLength`
 */
export function elementText(element: XmlElement, maxLength: number): string | undefined {
  const writer = new ElementWriter(maxLength)
  writer.write(element, undefined)
  return writer.text
}

class ElementWriter {
  readonly #pieces: string[] = []
  #left: number

  constructor(maxLength: number) {
    this.#left = maxLength
  }

  get text(): string | undefined {
    return this.#left < 0 ? undefined : this.#pieces.join('')
  }

  /** @param around the namespace that stands without a prefix where the element does */
  write({ uri, local, attributes, children, text }: XmlElement, around: string | undefined): void {
    if (this.#left < 0) return
    this.#add(`<${local}${uri === around ? '' : ` xmlns="${escapeAttribute(uri)}"`}`)
    let count = 0
    for (const [name, value] of attributes) {
      const [, space = '', bare = name] = /^\{(.*)\}([^}]*)$/s.exec(name) ?? []
      if (space === DECLARATIONS || name === 'xmlns') continue
      const prefix = space === '' ? '' : space === XML_NAMESPACE ? 'xml:' : `a${++count}:`
      if (prefix.startsWith('a')) this.#add(` xmlns:a${count}="${escapeAttribute(space)}"`)
      this.#add(` ${prefix}${bare}="${escapeAttribute(value)}"`)
    }
    if (children.length === 0 && text === '') return this.#add(' />')
    this.#add(`>${escapeXml(text)}`)
    for (const child of children) this.write(child, uri)
    this.#add(`</${local}>`)
  }

  #add(piece: string): void {
    this.#left -= piece.length
    if (this.#left >= 0) this.#pieces.push(piece)
  }
}

const DECLARATIONS = 'http://www.w3.org/2000/xmlns/'
const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace'

/** Blanks other than the space would be read as one. */
const escapeAttribute = (text: string): string =>
  escapeXml(text).replaceAll('"', '&quot;').replaceAll('\t', '&#x9;').replaceAll('\n', '&#xA;')
