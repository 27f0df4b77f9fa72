import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { messageYjsSyncStep1 as STEP_1, messageYjsSyncStep2 as STEP_2, messageYjsUpdate as UPDATE } from 'y-protocols/sync'
import { ACTIONS, ERRORS, HubError } from '../../../protocol/index.ts'
import type { HubConnection } from '../ports.ts'
import { decodeAwareness, encodeAwareness } from './awareness.ts'
import type { DocumentSession, Outlet } from './document-session.ts'

/** The kinds of message that both wires have. @see PROTOCOL.md of y-protocols */
const SYNC = 0
export const AWARENESS = 1
export const AUTH = 2
const QUERY_AWARENESS = 3

const STEPS = { [STEP_1]: 'since', [STEP_2]: 'state', [UPDATE]: 'update' } as const

/** A message of a provider about a document, on either wire. */
export type DocumentMessage =
  { readonly kind: 'since' | 'state' | 'update' | 'awareness'; readonly bytes: Uint8Array } | { readonly kind: 'query' }

/**
 * Reads on behind the kind of a message.
 * @returns undefined for a kind that not both wires have
 * @throws what lib0 throws
 */
export function readDocumentMessage(kind: number, decoder: decoding.Decoder): DocumentMessage | undefined {
  if (kind === QUERY_AWARENESS) return { kind: 'query' }
  if (kind === AWARENESS) return { kind: 'awareness', bytes: decoding.readVarUint8Array(decoder) }
  if (kind !== SYNC) return undefined
  const step = STEPS[decoding.readVarUint(decoder) as keyof typeof STEPS]
  if (step === undefined) throw new Error('there is no such step')
  return { kind: step, bytes: decoding.readVarUint8Array(decoder) }
}

/** Does what a message asks for. The promise, if there is one, says when the next may come. */
export function handleDocumentMessage(document: DocumentSession, message: DocumentMessage): Promise<void> | undefined {
  switch (message.kind) {
    case 'since':
      return document.answer(message.bytes)
    case 'state':
    case 'update':
      return document.take(message.bytes, message.kind === 'state')
    case 'awareness':
      for (const { id, clock, state } of decodeAwareness(message.bytes)) document.say(id, clock, state)
      return undefined
    case 'query':
      document.tellPresent()
  }
  return undefined
}

interface OutletParts extends Pick<Outlet, 'saved' | 'end'> {
  readonly connection: HubConnection
  readonly send: (message: Uint8Array, mayWait?: boolean) => void
  /** The name that every message begins with, on the wire that carries several documents. */
  readonly name?: string
}

/** Says what a document session has to say. */
export const outletTo = ({ connection, send, name, saved, end }: OutletParts): Outlet => ({
  get bufferedBytes() {
    return connection.bufferedBytes
  },
  askSince: stateVector => send(encoded(name, [SYNC, STEP_1], stateVector)),
  answer: update => send(encoded(name, [SYNC, STEP_2], update)),
  update: update => send(updateMessage(name, update), true),
  presence: news => send(encoded(name, [AWARENESS], encodeAwareness(news))),
  saved,
  end
})

const updateMessages = new WeakMap<Uint8Array, Map<string | undefined, Uint8Array>>()

/** An update goes to many, most of whom call the document the same: its message is made once. */
function updateMessage(name: string | undefined, update: Uint8Array): Uint8Array {
  const messages = updateMessages.get(update) ?? new Map<string | undefined, Uint8Array>()
  updateMessages.set(update, messages)
  let message = messages.get(name)
  if (message === undefined) messages.set(name, (message = encoded(name, [SYNC, UPDATE], update)))
  return message
}

/** `[name] kind [step] length content` */
export function encoded(name: string | undefined, kind: readonly number[], content: Uint8Array | string): Uint8Array {
  const encoder = encoding.createEncoder()
  if (name !== undefined) encoding.writeVarString(encoder, name)
  for (const number of kind) encoding.writeVarUint(encoder, number)
  if (typeof content === 'string') encoding.writeVarString(encoder, content)
  else encoding.writeVarUint8Array(encoder, content)
  return encoding.toUint8Array(encoder)
}

/** The name of a document on the wires of Yjs: `book/` and the book's id. */
const BOOK = /^book\/([^/]+)$/

/** The book whose annotations a document name stands for. @throws HubError `not-found` for what can be no book's */
export function bookOf(name: string): string {
  const book = decoded(BOOK.exec(name)?.[1])
  if (book === undefined || ACTIONS['annotation.update'].key.fault(book) !== undefined)
    throw new HubError('not-found', 'a document is called book/ and the id of a book')
  return book
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** True when it makes no sense to come back with the same. */
export const isForGood = ({ code }: HubError): boolean => ERRORS[code].retry === 'never' || ERRORS[code].retry === 'refresh'

/** The close code of an error, as providers understand it: they stay away for good on 4400 to 4499, and come back on every other. */
export function closeCodeOf(error: HubError): number {
  const { close, http } = ERRORS[error.code]
  if (isForGood(error)) return http >= 400 && http < 500 ? 4_000 + http : 4_400
  return close >= 4_400 && close < 4_500 ? 4_503 : close === 0 ? 4_500 : close
}
