import {
  ACTIONS,
  checked,
  decodeValue,
  encodeValue,
  isActionKind,
  type ActionBody,
  type ActionKind,
  type ChangeKind,
  HubError,
  LIMITS,
  putAnnotation,
  scan,
  type Plain
} from '../../protocol/index.ts'
import type { Moment, RichNote } from './change.ts'
import { markKnownAnnotation, restoreAnnotation, type PlainAnnotation } from './documents/annotations.ts'
import type { Document } from './documents/document.ts'
import { FILE_HANDLERS } from './files/actions.ts'
import type { Documents } from './documents/documents.ts'
import type { HouseholdRules } from './household.ts'
import { permits, type Actor } from './policy.ts'
import { positionVersions } from './position-history.ts'
import type { Views } from './views.ts'

/** Each may take 128 KiB. */
const PAGE_HISTORIES = 16

/** What an action may look at and change before it becomes a change. */
export interface ActionContext {
  readonly views: Views
  /** Where the change will stand, and who asks for it. */
  readonly at: Moment
  readonly epoch: string
  /** The client's clock, clamped to the hub's. */
  readonly atMs: number
  /** The documents that the action needs are in memory. */
  readonly documents: Documents
  readonly household: HouseholdRules
}

/** The change that an action asks for. */
export interface Outcome {
  readonly kind: ChangeKind
  /** Another one than the action's. */
  readonly key?: string
  readonly body: Plain
  readonly note?: Omit<RichNote, 'digest'>
}

export type Handler<K extends ActionKind> = (context: ActionContext, key: string, body: ActionBody<K>) => Outcome

/** Turns each kind of action into its change, or throws the HubError that refuses it and changes nothing. */
const HANDLERS: { readonly [K in ActionKind]: Handler<K> } = {
  'annotation.update': ({ documents, at }, book, update) => ({
    kind: 'annotation.update',
    body: documents.use(book).apply(update, at)
  }),
  'annotation.put': (context, book, { id, ...fields }) =>
    edit(context, book, doc => putAnnotation(doc, id, fields, context.atMs)),
  'annotation.remove': (context, book, { id }) => edit(context, book, doc => markKnownAnnotation(doc, id, context.atMs)),
  'annotation.restore': (context, book, { id, cursor }) => {
    if (cursor === undefined) return edit(context, book, doc => markKnownAnnotation(doc, id, undefined))
    const version = context.documents.versions(book, id).find(known => known.cursor === cursor)
    if (version === undefined)
      throw new HubError('not-found', 'no such version of this annotation is kept', { field: 'body.cursor' })
    const fields = decodeValue(version.fields) as PlainAnnotation
    return edit(context, book, doc => restoreAnnotation(doc, id, fields, context.atMs))
  },
  'position.set': (_, _book, body) => ({ kind: 'position.set', body }),
  'position.restore': ({ views }, book, { cursor }) => {
    for (const page of views.pages('positionHistories', [book], PAGE_HISTORIES))
      for (const [, history] of page) {
        const version = positionVersions(history).find(known => known.cursor === cursor)
        if (version !== undefined) return { kind: 'position.set', body: version.fields }
      }
    throw new HubError('not-found', 'no such position of this book is kept', { field: 'body.cursor' })
  },
  'book.put': ({ views }, book, body) => {
    const identifiers = { ...views.get('books', book)?.identifiers, ...body.identifiers }
    if (Object.values(identifiers).filter(value => value !== null).length > LIMITS.maxMapEntries)
      throw new HubError('too-large', `a book has at most ${LIMITS.maxMapEntries} identifiers`, { field: 'body.identifiers' })
    return { kind: 'book.put', body }
  },
  'book.remove': (context, book) => known(context, book, 'book.remove'),
  'book.restore': (context, book) => known(context, book, 'book.restore'),
  ...FILE_HANDLERS,
  'setting.put': (_, _name, body) => ({ kind: 'setting.put', body }),
  'household.act': ({ household, views, at }, actor, body) => {
    const { type, change, hidden } = household.act(views, at, actor, body)
    return { kind: 'household.act', key: type, body: change, ...(hidden !== undefined && { note: { hidden } }) }
  }
}

export const handleAction = (context: ActionContext, kind: ActionKind, key: string, body: ActionBody<ActionKind>): Outcome =>
  (HANDLERS[kind] as Handler<ActionKind>)(context, key, body)

/** Actions whose form bounds what they take; all others have the limit of a body. */
const OWN_LIMITS: ReadonlySet<ActionKind> = new Set(['annotation.update', 'household.act'])

/** @throws HubError `unknown-action`, `forbidden` */
export function mustBePermitted(actor: Actor, kind: string): asserts kind is ActionKind {
  if (!isActionKind(kind)) throw new HubError('unknown-action', `there is no action ${kind}`, { field: 'kind' })
  if (!permits(actor, kind)) throw new HubError('forbidden', actor === 'reader' ? 'this device may only read' : '')
}

/**
 * The body of an action, which has the form that its kind has.
 * @param bytes the body as msgpack
 * @throws HubError `bad-action` naming what is wrong; `too-large` for one that takes more than those of its kind may
 */
export function checkedBody(kind: ActionKind, key: string, body: Plain, bytes: Uint8Array): ActionBody<ActionKind> {
  checked('bad-action', ACTIONS[kind].key, key, 'key')
  const known = checked<ActionBody<ActionKind>>('bad-action', ACTIONS[kind].body, body, 'body')
  if (!OWN_LIMITS.has(kind) && bytes.length > LIMITS.maxBodyBytes)
    throw new HubError('too-large', `body is over ${LIMITS.maxBodyBytes} bytes`, { field: 'body' })
  return known
}

/** A plain annotation action becomes the Yjs update that has its effect, so that plain and Yjs writers cannot lose each other's work. */
function edit({ documents, epoch, at }: ActionContext, book: string, change: Parameters<Document['edit']>[0]): Outcome {
  return { kind: 'annotation.update', body: documents.use(book).edit(change, at), note: { madeIn: epoch } }
}

function known({ views }: ActionContext, book: string, kind: 'book.remove' | 'book.restore'): Outcome {
  if (views.get('books', book) === undefined) throw new HubError('not-found', `there is no book ${book}`, { field: 'key' })
  return { kind, body: {} }
}

/**
 * A body that came by another way than a frame, as it would be had it come in one: its change goes out in frames.
 * @throws HubError `bad-action`
 */
export function asSent(kind: string, key: string, body: Plain): Plain {
  const bytes = encodeValue([1, 0, [[1, 0, kind, key, body]]])
  try {
    scan(bytes)
  } catch (error) {
    throw new HubError('bad-action', `no frame can carry this: ${(error as Error).message}`, { field: 'body' })
  }
  return (decodeValue(bytes) as [1, 0, [[1, 0, string, string, Plain]]])[2][0][4]
}
