import { createHash } from 'node:crypto'
import { isSameValue, type Plain } from '../../../protocol/index.ts'
import type { Extra, Model, ModelName } from './model.ts'

/** The members of a model, as an action or a record can hold them. */
export type Members = { [member: string]: Plain }

/** Stands for the members that no model has, as a list of their names and texts: a name of someone's own could be any. */
export const EXTRA = '+'
/** A longer text is remembered by its digest. */
const MAX_REMEMBERED_LENGTH = 48
/** Remembered as it is, however long: two edits of it are merged. */
const MERGED = 'note'

type AnyModel = { readonly [member: string]: unknown; readonly extra?: Extra }

/** What of a model was sent. */
export function membersOf(model: object): Members {
  const members: Members = {}
  for (const [name, value] of Object.entries(model as AnyModel)) {
    if (value === undefined) continue
    if (name === 'extra') {
      if ((value as Extra).size > 0) members[EXTRA] = Array.from(value as Extra, ([key, text]) => [key, text])
    } else members[name] = Array.isArray(value) ? value.map(item => plainOf(item)) : plainOf(value)
  }
  return members
}

/** The model that has these members. */
export function modelOf<Name extends ModelName>(members: Members): Model<Name> {
  const model: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(members)) {
    if (name === EXTRA) model['extra'] = new Map(Array.isArray(value) ? (value as [string, string][]) : [])
    else model[name] = Array.isArray(value) ? value.map(item => (isMembers(item) ? modelOf(item) : item)) : value
  }
  return model as Model<Name>
}

const plainOf = (value: unknown): Plain =>
  typeof value === 'object' && value !== null ? membersOf(value) : (value as Exclude<Plain, object>)

/** Not a list, and no scalar. */
export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

/** What has to be remembered of members, to tell later which of them were changed. */
export const remembered = (members: Members): Members =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name, name === MERGED ? value : shortOf(value)]))

/** The names of the members whose value is another one than what is remembered. One that is null is as one that is not there. */
export const changedIn = (known: Members, members: Members): string[] =>
  Object.keys(members).filter(
    name => !isSameValue(known[name] ?? null, name === MERGED ? members[name] : shortOf(members[name] ?? null))
  )

/** Whether someone who has what is remembered has all of this. */
export const isKnown = (known: Members, members: Members): boolean => changedIn(known, members).length === 0

function shortOf(value: Plain): Plain {
  const text = typeof value === 'string' ? value : typeof value === 'object' && value !== null ? JSON.stringify(value) : ''
  return text.length <= MAX_REMEMBERED_LENGTH && typeof value !== 'object'
    ? value
    : value === null
      ? null
      : createHash('sha256')
          .update(typeof value)
          .update(text)
          .digest()
          .subarray(0, 16)
}
