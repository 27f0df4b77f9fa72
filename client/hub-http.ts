import { ERRORS, HubError, isErrorCode } from '../protocol/index.ts'
import type { Clock } from './clock.ts'
import { endingWith } from './ending.ts'
import type { Hash } from './hash.ts'

/** What a request is made of. */
export interface HubRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: object
  readonly bytes?: Uint8Array<ArrayBuffer>
  readonly signal?: AbortSignal | undefined
  /** How long until the answer is there; of a content, its head. @default 60_000 */
  readonly timeoutMs?: number
}

/** What carries contents to and from a hub. */
export interface ContentParts {
  /** Asks as the device, at a path from the hub's root, and gives back the JSON of the answer. @see askHub */
  ask<T>(path: string, request: HubRequest): Promise<T>
  /** Asks in the same way for a content. @see askForContent */
  askForContent(path: string, request: HubRequest): Promise<{ response: Response; sha256: string }>
  newHash(): Hash
  readonly clock: Clock
}

/** The hub could not be reached, the connection broke before the answer was there, or something else answers in its place: a network's page to sign in, a proxy. */
export class NoConnectionError extends TypeError {
  override readonly name = 'NoConnectionError'
}

const ANSWER_TIMEOUT_MS = 60_000

/** The address of `path` at a hub, whose URL may be one for WebSockets and may have a path itself. @throws TypeError when the URL is none */
export function addressAt(url: string, path: string): URL {
  const address = new URL(url)
  address.protocol = address.protocol.replace(/^ws/, 'http')
  const [place, query = ''] = path.split('?')
  address.pathname = `${address.pathname.replace(/\/+$/, '')}${place}`
  address.search = query
  return address
}

/**
 * Asks a hub, and gives back the JSON of its answer; undefined where it has nothing to say (204).
 * @throws HubError with what the hub answered, `overloaded` when it did not in time; NoConnectionError; what `signal` was aborted for
 */
export const askHub = <T>(url: string, path: string, request: HubRequest = {}): Promise<T> =>
  asked(url, path, request, async response => {
    const text = await response.text().catch(asBroken)
    if (response.status === 204) return undefined as T
    try {
      return JSON.parse(text) as T
    } catch {
      throw notOfHub(response)
    }
  })

/** The tag of a content: its SHA-256. */
const CONTENT_TAG = /^"([0-9a-f]{64})"$/

/**
 * Asks for a content, and gives back the answer as soon as its head is there: whoever reads on looks after its end.
 * @throws as `askHub`
 */
export const askForContent = (url: string, path: string, request: HubRequest): Promise<{ response: Response; sha256: string }> =>
  asked(url, path, request, response => {
    const sha256 = CONTENT_TAG.exec(response.headers.get('etag') ?? '')?.[1]
    if (sha256 !== undefined) return { response, sha256 }
    response.body?.cancel().catch(() => undefined)
    throw notOfHub(response)
  })

/** @param take what is taken out of the answer while time and signal count */
async function asked<T>(
  url: string,
  path: string,
  { method = 'GET', headers, json, bytes, signal, timeoutMs = ANSWER_TIMEOUT_MS }: HubRequest,
  take: (response: Response) => T | Promise<T>
): Promise<T> {
  signal?.throwIfAborted()
  const address = addressAt(url, path)
  const body = json === undefined ? bytes : JSON.stringify(json)
  const ending = endingWith(signal)
  const timer = setTimeout(() => ending.end(new HubError('overloaded', 'the hub did not answer in time')), timeoutMs)
  try {
    const response = await fetch(address, {
      method,
      headers: { ...headers, ...(json !== undefined && { 'content-type': 'application/json' }) },
      signal: ending.signal,
      ...(body !== undefined && { body })
    }).catch(asBroken)
    if (response.status >= 400) throw await refusalOf(response)
    return await take(response)
  } catch (error) {
    throw ending.signal.aborted ? ending.signal.reason : error
  } finally {
    clearTimeout(timer)
    ending.release()
  }
}

/** The number of the change that a cursor of the native REST stands behind; its epoch comes before the last colon. */
export const cursorNumber = (cursor: string): number => Number(cursor.slice(cursor.lastIndexOf(':') + 1))

/** What `fetch` throws is a TypeError, whatever the reason. @throws NoConnectionError in its place */
export function asBroken(error: unknown): never {
  throw error instanceof TypeError ? new NoConnectionError(error.message, { cause: error }) : error
}

/** What a refusal says. @see RFC 9457 */
async function refusalOf(response: Response): Promise<Error> {
  const text = await response.text().catch(asBroken)
  const { code = '', detail = '', field } = parsed(text)
  const known = isErrorCode(code) ? code : codeOf(response.status)
  if (known === undefined) return notOfHub(response)
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new HubError(known, detail || `the hub answered ${response.status}`, {
    ...(field !== undefined && { field }),
    ...(retryAfter >= 0 && { retryAfterMs: retryAfter * 1_000 })
  })
}

const notOfHub = ({ url, status }: Response): NoConnectionError =>
  new NoConnectionError(
    `what answered (${status}) at ${new URL(url).origin} is no hub; check the address, or sign in to the network you are on`
  )

/** True for what may go well another time, without any change of what is asked: no connection, a hub that restarts or is at its limit. */
export const isPassing = (error: unknown): boolean =>
  error instanceof HubError ? ERRORS[error.code].retry === 'backoff' : error instanceof NoConnectionError

/** What a proxy before the hub refuses in words of its own; undefined for what says nothing about the hub. */
function codeOf(status: number): 'overloaded' | 'too-large' | undefined {
  if (status >= 500 || status === 429 || status === 408) return 'overloaded'
  return status === 413 ? 'too-large' : undefined
}

function parsed(text: string): { code?: string; detail?: string; field?: string } {
  try {
    return (JSON.parse(text) ?? {}) as { code?: string; detail?: string; field?: string }
  } catch {
    return {}
  }
}
