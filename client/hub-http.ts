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
  askForContent(path: string, request: HubRequest): Promise<Response>
  newHash(): Hash
  readonly clock: Clock
}

/** The hub could not be reached, or the connection broke before the answer was there. */
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
 * Asks a hub, and gives back the JSON of its answer; undefined of one that is empty.
 * @throws HubError with what the hub answered, `overloaded` when it did not in time; NoConnectionError; what `signal` was aborted for
 */
export const askHub = <T>(url: string, path: string, request: HubRequest = {}): Promise<T> =>
  asked(url, path, request, async response => {
    const text = await response.text().catch(asBroken)
    return (text === '' ? undefined : JSON.parse(text)) as T
  })

/** Asks for a content, and gives back the answer as soon as its head is there: whoever reads on looks after its end. @throws as `askHub` */
export const askForContent = (url: string, path: string, request: HubRequest): Promise<Response> =>
  asked(url, path, request, response => response)

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
export async function refusalOf(response: Response): Promise<HubError> {
  const text = await response.text().catch(asBroken)
  const { code = '', detail = '', field } = parsed(text)
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new HubError(isErrorCode(code) ? code : codeOf(response.status), detail || `the hub answered ${response.status}`, {
    ...(field !== undefined && { field }),
    ...(retryAfter >= 0 && { retryAfterMs: retryAfter * 1_000 })
  })
}

/** True for what may go well another time, without any change of what is asked: no connection, a hub that restarts or is at its limit. */
export const isPassing = (error: unknown): boolean =>
  error instanceof HubError ? ERRORS[error.code].retry === 'backoff' : error instanceof NoConnectionError

/** A proxy before the hub refuses in words of its own. */
const codeOf = (status: number): 'overloaded' | 'unauthenticated' | 'forbidden' | 'not-found' | 'too-large' | 'bad-request' => {
  if (status >= 500 || status === 429 || status === 408) return 'overloaded'
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'forbidden'
  if (status === 413) return 'too-large'
  return status === 404 ? 'not-found' : 'bad-request'
}

function parsed(text: string): { code?: string; detail?: string; field?: string } {
  try {
    return (JSON.parse(text) ?? {}) as { code?: string; detail?: string; field?: string }
  } catch {
    return {}
  }
}
