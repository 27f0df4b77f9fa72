import { HubError } from '../../../protocol/index.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import { XmlReader, type XmlElement } from '../../files/xml.ts'
import { BareRefusal, SoapFault, unreadable } from './faults.ts'
import { SOAP_11, SOAP_12, type SoapVersion } from './soap.ts'

/** Elements of one request: its exceptions, and what is around them. */
const MAX_ELEMENTS = 40_000
/** So much is read in one turn of the event loop: a few milliseconds. */
const SLICE = 65_536

/** A request's envelope. */
export interface Envelope {
  readonly version: SoapVersion
  readonly headers: readonly XmlElement[]
  /** What the body holds, first of all; undefined when it is empty. */
  readonly content: XmlElement | undefined
  /** All of the request, to which the offsets of elements belong. */
  readonly text: string
}

/**
 * Reads an envelope, in turns with other work.
 * @param charset what the content type says, if anything
 * @throws BareRefusal 400 unless it is XML 1.0, well-formed, without a document type, and within bounds
 * @throws SoapFault when that is no envelope
 */
export async function readEnvelope(bytes: Uint8Array, charset: string | undefined, clock: Clock): Promise<Envelope> {
  const text = decode(bytes, charset)
  const root = await readText(text, clock)
  const version = root.uri === SOAP_11 ? '1.1' : root.uri === SOAP_12 ? '1.2' : undefined
  if (root.local !== 'Envelope') throw unreadable(...placeOf(text, root), 'The root element is no SOAP Envelope.')
  if (version === undefined)
    throw new SoapFault(
      'VersionMismatch',
      `Possible SOAP version mismatch: Envelope namespace ${root.uri} was unexpected. Expecting ${SOAP_11}.`
    )
  const part = (name: string): XmlElement | undefined =>
    root.children.find(({ uri, local }) => uri === root.uri && local === name)
  return { version, headers: part('Header')?.children ?? [], content: part('Body')?.children[0], text }
}

/** Line and column of what follows an element, as .NET counts them: behind the `<` or `</` of a tag. */
export function placeOf(text: string, { end }: XmlElement): [line: number, column: number] {
  let at = end
  while (/[ \t\r\n]/.test(text[at] ?? '')) at += 1
  const lines = text.slice(0, at).split(/\r\n|\r|\n/)
  const tag = text.startsWith('</', at) ? 2 : text[at] === '<' ? 1 : 0
  return [lines.length, lines.at(-1)!.length + 1 + tag]
}

async function readText(text: string, clock: Clock): Promise<XmlElement> {
  if (/^<\?xml\s+version\s*=\s*["']1\.[1-9]/.test(text)) throw new BareRefusal(400)
  try {
    const reader = new XmlReader('the request', MAX_ELEMENTS)
    for (let at = 0; at < text.length; at += SLICE) {
      if (at > 0) await nextTurn(clock)
      reader.write(text.slice(at, at + SLICE))
    }
    return reader.end()
  } catch (error) {
    throw error instanceof HubError ? new BareRefusal(400) : error
  }
}

/** A byte order mark counts for more than the content type, and that for more than the XML declaration. */
function decode(bytes: Uint8Array, charset: string | undefined): string {
  const [first, second, third] = bytes
  const marked =
    first === 0xef && second === 0xbb && third === 0xbf
      ? 'utf-8'
      : first === 0xff && second === 0xfe
        ? 'utf-16le'
        : first === 0xfe && second === 0xff
          ? 'utf-16be'
          : undefined
  const head = Buffer.from(bytes.subarray(0, 128)).toString('latin1')
  const declared = /^<\?xml\s[^>]*?encoding\s*=\s*["']([\w.-]+)["']/.exec(head)?.[1]
  const decoder = (marked && decoderOf(marked)) ?? decoderOf(charset) ?? decoderOf(declared) ?? decoderOf('utf-8')!
  try {
    return decoder.decode(bytes)
  } catch {
    throw new BareRefusal(400)
  }
}

/** Undefined for an encoding that nobody knows. */
function decoderOf(label: string | undefined): InstanceType<typeof TextDecoder> | undefined {
  if (label === undefined) return undefined
  try {
    return new TextDecoder(label, { fatal: true })
  } catch {
    return undefined
  }
}
