import { setImmediate as nextTurn } from 'node:timers/promises'
import { SaxesParser } from 'saxes'
import { badFile } from './zip.ts'

export interface XmlElement {
  /** The namespace; empty when there is none. */
  readonly uri: string
  /** The name without its prefix. */
  readonly local: string
  /** By `name`, or by `{namespace}name` where an attribute has a prefix. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** The element's own text, without that of its children. */
  readonly text: string
  /** Where it ends: the offset behind its closing tag, in UTF-16 units. */
  readonly end: number
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[]
  text: string
  end: number
}

const MAX_DEPTH = 32
const MAX_ELEMENTS = 20_000
const MAX_ATTRIBUTES = 64
const MAX_NAMESPACE_LENGTH = 1_024
/** Characters that are read in some milliseconds, whatever they are. */
const PIECE_LENGTH = 16_384

/** The five that every XML file has; saxes' own table would answer to `&toString;` as well. */
const ENTITIES = Object.assign(Object.create(null) as Record<string, string>, {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'"
})

/**
 * Reads a small XML file that nobody vouches for: well-formed, namespaces bound, no document type, and so no entities but XML's own.
 *
 * @param bytes UTF-8, or UTF-16 with a byte order mark; the caller bounds the size
 * @param name how errors call the file
 * @throws HubError `bad-request` saying where it is wrong
 */
export function readXml(bytes: Uint8Array, name: string): XmlElement {
  const reader = new XmlReader(name)
  reader.write(decode(bytes, name))
  return reader.end()
}

/** The same with a turn of the event loop behind each piece, so that others have theirs. */
export async function readXmlInTurns(bytes: Uint8Array, name: string): Promise<XmlElement> {
  const text = decode(bytes, name)
  const reader = new XmlReader(name)
  for (let at = 0; at < text.length; at += PIECE_LENGTH) {
    reader.write(text.slice(at, at + PIECE_LENGTH))
    await nextTurn()
  }
  return reader.end()
}

/** The same for text that is read piece by piece, so that others can have their turn in between. */
export class XmlReader {
  readonly #name: string
  readonly #parser = new SaxesParser({ xmlns: true })
  readonly #open: OpenElement[] = []
  #root: XmlElement | undefined

  /**
   * @param name how errors call the text
   * @param maxElements with more, it is refused
   * @param maxDepth nested deeper, it is refused
   */
  constructor(name: string, maxElements = MAX_ELEMENTS, maxDepth = MAX_DEPTH) {
    this.#name = name
    const parser = this.#parser
    const open = this.#open
    let elementCount = 0
    let attributeCount = 0
    parser.ENTITIES = ENTITIES
    parser.on('error', error => {
      throw badFile(`${name} is not well-formed: ${error.message}`)
    })
    parser.on('doctype', () => {
      throw badFile(`${name} has a document type, which is not allowed here`)
    })
    parser.on('opentagstart', () => {
      elementCount += 1
      attributeCount = 0
      if (open.length >= maxDepth) throw badFile(`${name} is nested more than ${maxDepth} deep`)
      if (elementCount > maxElements) throw badFile(`${name} has more than ${maxElements} elements`)
    })
    parser.on('attribute', ({ name: attribute, prefix, value }) => {
      attributeCount += 1
      // It becomes a part of each name that is in it.
      if ((prefix === 'xmlns' || attribute === 'xmlns') && value.length > MAX_NAMESPACE_LENGTH)
        throw badFile(`${name} has a namespace of more than ${MAX_NAMESPACE_LENGTH} characters`)
      if (attributeCount > MAX_ATTRIBUTES) throw badFile(`${name} has an element with more than ${MAX_ATTRIBUTES} attributes`)
    })
    parser.on('opentag', tag => {
      const attributes = new Map<string, string>()
      for (const { uri, local, value } of Object.values(tag.attributes))
        attributes.set(uri === '' ? local : `{${uri}}${local}`, value)
      const element: OpenElement = { uri: tag.uri, local: tag.local, attributes, children: [], text: '', end: 0 }
      open.at(-1)?.children.push(element)
      open.push(element)
      this.#root ??= element
    })
    parser.on('closetag', () => void (open.pop()!.end = parser.position))
    const addText = (text: string): void => {
      const element = open.at(-1)
      if (element !== undefined) element.text += text
    }
    parser.on('text', addText)
    parser.on('cdata', addText)
  }

  /** @throws HubError `bad-request` saying where it is wrong */
  write(text: string): void {
    this.#parser.write(text)
  }

  /**
   * Nothing follows.
   * @returns the root
   * @throws HubError `bad-request` saying where it is wrong
   */
  end(): XmlElement {
    this.#parser.close()
    if (this.#root === undefined) throw badFile(`${this.#name} is empty`)
    return this.#root
  }
}

function decode(bytes: Uint8Array, name: string): string {
  const mark = `${bytes[0]},${bytes[1]}`
  const encoding = mark === '255,254' ? 'utf-16le' : mark === '254,255' ? 'utf-16be' : 'utf-8'
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    throw badFile(`${name} is not ${encoding.toUpperCase()}`)
  }
}
