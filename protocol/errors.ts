/**
 * What a client should do about an error:
 * `never` try the same again, `refresh` the token first, `backoff` and try again after `retryAfterMs`,
 * or `resync`: forget the cursor and start from the beginning.
 */
export type Retry = 'never' | 'refresh' | 'backoff' | 'resync'

interface ErrorRow {
  /** WebSocket close code when the error ends a connection; 0 when it never does. */
  readonly close: number
  /** HTTP status of the same error. */
  readonly http: number
  readonly retry: Retry
  readonly text: string
  /** When to come back, where whoever raises the error knows nothing better. */
  readonly retryAfterMs?: number
}

const row = (close: number, http: number, retry: Retry, text: string, retryAfterMs?: number): ErrorRow => ({
  close,
  http,
  retry,
  text,
  ...(retryAfterMs !== undefined && { retryAfterMs })
})

/** Every error that the hub can name, on every carrier. Close codes are RFC 6455's where one fits, else 4000 + the HTTP status. */
export const ERRORS = {
  'bad-frame': row(1007, 400, 'never', 'the bytes are not a frame of this protocol'),
  'frame-too-large': row(1009, 413, 'never', 'the frame is over the limit'),
  'out-of-place': row(1002, 400, 'never', 'the frame is not allowed now'),
  'version-unsupported': row(4426, 426, 'never', 'the hub does not speak this version; update the app'),
  'hello-timeout': row(4408, 408, 'backoff', 'no hello came in time'),
  unauthenticated: row(4401, 401, 'refresh', 'the token or password is not valid; sign in again'),
  'device-revoked': row(4403, 403, 'never', 'this device was revoked; pair it again'),
  'device-disabled': row(4403, 403, 'never', 'this device is disabled; enable it from another'),
  replaced: row(4409, 409, 'never', 'another connection of this client took its place'),
  forbidden: row(4403, 403, 'never', 'the token does not allow this'),
  'origin-refused': row(4403, 403, 'never', 'pages of this origin may not connect; add it to the allowed origins'),
  'bad-request': row(0, 400, 'never', 'a field of the request is not valid'),
  'unknown-action': row(0, 422, 'never', 'the hub does not know this kind of action'),
  'bad-action': row(0, 422, 'never', 'a field of the action is not valid'),
  'action-conflict': row(0, 409, 'never', 'this number was used before for other content'),
  'already-done': row(0, 409, 'never', 'this number was answered before and the answer is no longer kept'),
  'not-found': row(0, 404, 'never', 'there is no such thing, or it is not yours'),
  'already-exists': row(0, 409, 'never', 'the name is taken'),
  'base-changed': row(0, 409, 'never', 'something else is there by now than what the asker saw; read it, and ask again'),
  'content-missing': row(0, 422, 'never', 'the account holds no such content; upload it first'),
  'bad-update': row(0, 422, 'never', 'the Yjs update is malformed or over a limit'),
  'update-gap': row(
    0,
    409,
    'resync',
    'the Yjs update builds on edits that the hub does not have; read the document and send all that it lacks'
  ),
  'foreign-client': row(0, 403, 'never', 'the Yjs client id belongs to another device; use a new one'),
  'document-too-large': row(0, 413, 'never', "the book's annotations are over the limit"),
  'precondition-failed': row(0, 412, 'never', 'the content is not the one that the request is about'),
  'range-not-satisfiable': row(0, 416, 'never', 'the content has no such bytes'),
  'too-large': row(0, 413, 'never', 'the request is over the limit'),
  'quota-exceeded': row(0, 507, 'never', 'the account has used up its share of the storage; ask the operator for more'),
  'cursor-unknown': row(0, 410, 'resync', 'the cursor is of another epoch or outside of the log'),
  'far-behind': row(
    0,
    410,
    'resync',
    'the changes since the cursor are too many or no longer kept; a snapshot takes their place'
  ),
  'too-many-clients': row(
    4403,
    403,
    'never',
    'this device has used too many client ids; keep one with the outbox, and pair the device anew'
  ),
  'too-many-refused': row(1008, 429, 'backoff', 'too many actions in a row were refused', 60_000),
  'rate-limited': row(4429, 429, 'backoff', 'too many tries; wait before the next'),
  overloaded: row(1013, 503, 'backoff', 'the hub is at its limit'),
  'storage-full': row(
    1013,
    507,
    'backoff',
    'the disk is nearly full: nothing is taken until there is room again, and everything can still be read',
    15_000
  ),
  slow: row(4408, 408, 'backoff', 'the connection did not take what it was sent; come back and catch up', 1_000),
  'shutting-down': row(1012, 503, 'backoff', 'the hub restarts'),
  internal: row(1011, 500, 'backoff', 'the hub failed; its log says why', 1_000)
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

export const isErrorCode = (value: string): value is ErrorCode => Object.hasOwn(ERRORS, value)

/** The one error that crosses a border of the hub: the wire, HTTP, the CLI. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: ErrorCode
  /** The path of the offending field, such as `push.actions[2].body.progression`; empty when no field is at fault. */
  readonly field: string
  /** When trying again makes sense. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, detail = '', more: { field?: string; retryAfterMs?: number } = {}) {
    super(detail === '' ? ERRORS[code].text : detail)
    this.code = code
    this.field = more.field ?? ''
    this.retryAfterMs = more.retryAfterMs ?? ERRORS[code].retryAfterMs
  }
}
