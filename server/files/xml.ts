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
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[]
  text: string
}

const MAX_DEPTH = 32
const MAX_ELEMENTS = 20_000
const MAX_ATTRIBUTES = 64

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
  const text = decode(bytes, name)
  const parser = new SaxesParser({ xmlns: true })
  parser.ENTITIES = ENTITIES
  const open: OpenElement[] = []
  let root: XmlElement | undefined
  let elementCount = 0
  let attributeCount = 0

  parser.on('error', error => {
    throw badFile(`${name} is not well-formed: ${error.message}`)
  })
  parser.on('doctype', () => {
    throw badFile(`${name} has a document type, which is not allowed here`)
  })
  parser.on('opentagstart', () => {
    elementCount += 1
    attributeCount = 0
    if (open.length >= MAX_DEPTH) throw badFile(`${name} is nested more than ${MAX_DEPTH} deep`)
    if (elementCount > MAX_ELEMENTS) throw badFile(`${name} has more than ${MAX_ELEMENTS} elements`)
  })
  parser.on('attribute', () => {
    attributeCount += 1
    if (attributeCount > MAX_ATTRIBUTES) throw badFile(`${name} has an element with more than ${MAX_ATTRIBUTES} attributes`)
  })
  parser.on('opentag', tag => {
    const attributes = new Map<string, string>()
    for (const { uri, local, value } of Object.values(tag.attributes))
      attributes.set(uri === '' ? local : `{${uri}}${local}`, value)
    const element: OpenElement = { uri: tag.uri, local: tag.local, attributes, children: [], text: '' }
    open.at(-1)?.children.push(element)
    open.push(element)
    root ??= element
  })
  parser.on('closetag', () => void open.pop())
  const addText = (text: string): void => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)

  parser.write(text).close()
  if (root === undefined) throw badFile(`${name} is empty`)
  return root
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
