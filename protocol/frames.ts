import {
  any,
  bool,
  key,
  list,
  map,
  oneOf,
  opt,
  positive,
  str,
  tuple,
  uint,
  type InferFields,
  type Plain,
  type Shape
} from './shapes.ts'
import { LIMITS } from './limits.ts'
import { VIEWS, type ViewName } from './actions.ts'

/** What a client asks for. `atMs` is the client's own clock; `kind`, `key` and `body` are checked one action at a time. */
export type WireAction = readonly [number: number, atMs: number, kind: string, key: string, body: Plain]

const action = tuple<WireAction>({ number: positive, atMs: uint, kind: str(64), key: str(512), body: any })

/** One entry of the log. `timeUs` is the hub's clock in microseconds, strictly rising; `device`, `client`, `number` and `atMs` say where it comes from. */
export type WireChange = readonly [
  cursor: number,
  timeUs: number,
  device: string,
  client: string,
  number: number,
  atMs: number,
  kind: string,
  key: string,
  body: Plain
]

const change = tuple<WireChange>({
  cursor: uint,
  timeUs: uint,
  device: str(64),
  client: str(64),
  number: uint,
  atMs: uint,
  kind: str(64),
  key: str(512),
  body: any
})

/** One refused action, as `acked` names it. */
export type Refusal = readonly [number: number, code: string, message: string, field: string]

/** One who reads a book now: `id` is unique in the book, `device` is by the hub's own knowledge, `state` a JSON object or empty. */
export type PresentReader = readonly [id: number, device: string, state: string]

const viewNames = Object.keys(VIEWS) as ViewName[]

type End = 'client' | 'hub'

interface FrameRow<E extends End, F extends Readonly<Record<string, Shape<unknown>>>> {
  readonly type: number
  readonly from: E
  readonly fields: F
  readonly text: string
}

const frame = <E extends End, const F extends Readonly<Record<string, Shape<unknown>>>>(
  from: E,
  type: number,
  fields: F,
  text: string
): FrameRow<E, F> => ({ type, from, fields, text })

/** Every frame, once. On the wire a frame is the msgpack array `[type, …fields]`, in this order; fields are only ever appended. */
export const FRAMES = {
  hello: frame(
    'client',
    0,
    {
      version: uint,
      token: str(512),
      client: key(64),
      epoch: str(64),
      cursor: uint,
      agent: str(256),
      wantsChanges: opt(bool)
    },
    'Signs in. `client` is the id of this outbox. `epoch` and `cursor` say how far it has read; an empty epoch and 0 mean nothing yet. `wantsChanges`: every change that is kept, however many, rather than a snapshot.'
  ),
  push: frame(
    'client',
    1,
    { confirmed: uint, actions: list(action, LIMITS.maxActionsPerPush) },
    'Asks for actions, numbers strictly rising. `confirmed`: every answer up to this number has arrived, so the hub may forget them.'
  ),
  ack: frame('client', 2, { cursor: uint }, 'Says that every change up to `cursor` is kept by this client.'),
  read: frame(
    'client',
    3,
    { id: uint, view: oneOf(...viewNames), key: key(1_024, 0), after: key(1_024, 0), item: opt(key(128, 0)) },
    'Asks for a page of a view: what follows `after`, which is empty at first. `item` names the annotation where the view is of one. The answer is `view` or `failed` with the same id.'
  ),
  ping: frame('client', 4, { nonce: uint }, 'Keeps the connection open. The answer is `pong`.'),
  presence: frame(
    'client',
    5,
    { book: key(128), id: uint, state: str(LIMITS.maxPresenceLength) },
    'Says where this client reads: a JSON object, to be said again every `presenceIntervalMs`; empty when it leaves the book. `id` is a random number below 2^32, the same for as long as the connection. From its first word on it is told who reads the book, by `present`.'
  ),

  welcome: frame(
    'hub',
    16,
    {
      version: uint,
      account: str(64),
      device: str(64),
      epoch: str(64),
      head: uint,
      lastNumber: uint,
      timeMs: uint,
      limits: map({
        maxFrameBytes: uint,
        maxActionsPerPush: uint,
        maxUnansweredActions: uint,
        maxUpdateBytes: uint,
        idleTimeoutMs: uint
      })
    },
    'Signed in. `head` is the newest cursor; `lastNumber` is the highest number that this client has used; the log follows from the cursor.'
  ),
  changes: frame(
    'hub',
    17,
    { changes: list(change, LIMITS.maxFrameValues) },
    'The next changes of the log, live or catch-up: cursors are dense and follow the last one sent. A client sees its own changes too.'
  ),
  acked: frame(
    'hub',
    18,
    {
      accepted: list(tuple<[number: number, cursor: number]>({ number: uint, cursor: uint }), LIMITS.maxFrameValues),
      refused: list(tuple<Refusal>({ number: uint, code: str(64), message: str(1_024), field: str(256) }), LIMITS.maxFrameValues)
    },
    'Answers to actions. Accepted: durable, at that cursor. Refused: nothing changed, and the number is used up.'
  ),
  resync: frame(
    'hub',
    19,
    { code: str(64), epoch: str(64), cursor: uint },
    'The log is not continued from the cursor of `hello`. Forget what was read. A snapshot follows, unless `cursor` is 0, and then the log from `cursor` of `epoch`.'
  ),
  view: frame(
    'hub',
    20,
    { id: uint, cursor: uint, value: any, next: str(512) },
    'A page of a view as it stood at `cursor`. `next` is the `after` of the next page, and empty on the last.'
  ),
  failed: frame('hub', 21, { id: uint, code: str(64), message: str(1_024), field: str(256) }, 'A `read` that was refused.'),
  bye: frame(
    'hub',
    22,
    { code: str(64), message: str(1_024), retryAfterMs: opt(uint) },
    'The last frame: why the hub closes, and when to come back. The close code follows from `code`.'
  ),
  pong: frame('hub', 23, { nonce: uint, timeMs: uint }, "Answers `ping`, with the hub's time."),
  snapshot: frame(
    'hub',
    24,
    { entries: list(change, LIMITS.maxFrameValues), isLast: bool },
    'A part of the state of the account, written as changes. After the last one the log follows from the cursor of `resync`.'
  ),
  present: frame(
    'hub',
    25,
    {
      book: key(128),
      readers: list(
        tuple<PresentReader>({ id: uint, device: str(64), state: str(2 * LIMITS.maxPresenceLength) }),
        LIMITS.maxFrameValues
      )
    },
    'Who reads a book: those who came or moved, with what they said, and those who left, with an empty state. The client itself is among them.'
  )
} as const

export type FrameKind = keyof typeof FRAMES

/** A frame ready to encode. */
export type FrameFields<K extends FrameKind> = InferFields<(typeof FRAMES)[K]['fields']>

/** A decoded frame, discriminated by `kind`. */
export type Frame<K extends FrameKind = FrameKind> = { [P in K]: { kind: P } & FrameFields<P> }[K]

type KindsFrom<E extends End> = { [K in FrameKind]: (typeof FRAMES)[K]['from'] extends E ? K : never }[FrameKind]
export type ClientFrame = Frame<KindsFrom<'client'>>
export type HubFrame = Frame<KindsFrom<'hub'>>
