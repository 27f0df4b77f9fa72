import { HubError } from '../../../../protocol/index.ts'
import { nextTurn, type Clock } from '../../../core/ports.ts'
import { XmlReader, type XmlElement } from '../../../files/xml.ts'
import type { TypeName } from '../model.ts'
import { BadBody } from './bad-body.ts'
import { readFormModel } from './form-model.ts'
import { readJsonModel } from './json-model.ts'
import { JsonText } from './json-text.ts'
import type { Charset, Format } from './media-types.ts'
import { ModelState } from './model-state.ts'
import { readXmlModel } from './xml-model.ts'

/** Elements of one body: twice what the models of one within the bounds of bytes need. */
const MAX_ELEMENTS = 100_000
const MAX_DEPTH = 256
/** So much XML is read in one turn of the event loop: a few milliseconds. */
const SLICE = 16_384
/** A turn is over after so long. */
const TURN_MS = 3

/** What came of a body. */
export interface Read {
  /** What could be read, when something could not; null for no body. */
  readonly model: unknown
  readonly errors: ModelState
}

/** What to read a body as. */
export interface Reading {
  readonly format: Format
  readonly charset: Charset | undefined
  readonly type: TypeName
  /** What errors call the body. */
  readonly parameter: string
}

/** Reads a body as a model, in turns with other work. Whatever is wrong with it stands in `errors`. */
export async function readBody(body: Uint8Array, { format, charset, type, parameter }: Reading, clock: Clock): Promise<Read> {
  const errors = new ModelState(parameter)
  try {
    const text = decode(body, charset)
    return { model: await inTurns(await steps(text, format, type, errors, clock), clock), errors }
  } catch (error) {
    if (!(error instanceof BadBody)) throw error
    errors.add('', error.message)
    return { model: null, errors }
  }
}

async function steps(
  text: string,
  format: Format,
  type: TypeName,
  errors: ModelState,
  clock: Clock
): Promise<Generator<void, unknown, void>> {
  if (format === 'json') return readJsonModel(new JsonText(text), type, errors)
  if (format === 'form') return readFormModel(text, type, errors)
  return readXmlModel(await readElements(text, clock), type, errors)
}

async function inTurns<T>(work: Generator<void, T, void>, clock: Clock): Promise<T> {
  let begunMs = clock.nowMs()
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    const nowMs = clock.nowMs()
    // A clock that goes back begins a turn, too.
    if (nowMs - begunMs < TURN_MS && nowMs >= begunMs) continue
    await nextTurn(clock)
    begunMs = clock.nowMs()
  }
}

/** @throws BadBody unless it is XML 1.0, well-formed, without a document type, and within bounds */
async function readElements(text: string, clock: Clock): Promise<XmlElement> {
  if (/^<\?xml\s+version\s*=\s*["']1\.[1-9]/.test(text)) throw new BadBody('The body is not XML 1.0.')
  try {
    const reader = new XmlReader('the body', MAX_ELEMENTS, MAX_DEPTH)
    for (let at = 0; at < text.length; at += SLICE) {
      if (at > 0) await nextTurn(clock)
      reader.write(text.slice(at, at + SLICE))
    }
    return reader.end()
  } catch (error) {
    throw error instanceof HubError ? new BadBody(error.message) : error
  }
}

/** A byte order mark counts for more than the content type; without either it is UTF-8. @throws BadBody */
function decode(body: Uint8Array, charset: Charset = 'utf-8'): string {
  const mark = Buffer.from(body.subarray(0, 3)).toString('hex')
  const encoding = mark.startsWith('fffe')
    ? 'utf-16le'
    : mark.startsWith('feff')
      ? 'utf-16be'
      : mark === 'efbbbf' || charset === 'utf-8'
        ? 'utf-8'
        : 'utf-16le'
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(body)
  } catch {
    throw new BadBody(`The body is not ${encoding.toUpperCase()}.`)
  }
}
