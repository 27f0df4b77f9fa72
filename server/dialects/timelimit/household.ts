import { checked, decodeValue, encodeValue, HubError, LIMITS, type ActionBody, type Plain } from '../../../protocol/index.ts'
import type { Change, Moment } from '../../core/change.ts'
import type { HouseholdOutcome, HouseholdRules } from '../../core/household.ts'
import type { Views } from '../../core/views.ts'
import { hasAtMostValues } from '../../transports/json-bounds.ts'
import { Acting, type Actor, type Told } from './acting.ts'
import { ACTION_ROWS } from './actions/index.ts'
import { withOpenPasswords } from './actions/passwords.ts'
import type { DeviceKeys } from './device-keys.ts'
import { FamilyChange } from './family-change.ts'
import { actingOf } from './integrity.ts'
import { refuse } from './refuse.ts'
import type { Row } from './row.ts'

/** Values in an action: two lists of 10,000 apps or activities are the most that any has. */
const MAX_VALUES = 131_072
/** Of an object in an action: more than any form has. */
const MAX_MEMBERS = 64

type Asked = ActionBody<'household.act'>
type Members = Record<string, Plain>

/** What came of an action that was taken, beside its change. */
export interface Taken {
  readonly told: Told
  /** A part of it was passed over. */
  readonly needsFullSync: boolean
}

/**
 * The rules of TimeLimit's families. An effect is tried on a family before it is taken; taken, it has what the trial came to. Whoever folds the log later does
 * the same once more. So what is checked and what is done cannot come apart, and the log alone gives the same family again.
 */
export class TimeLimitHousehold implements HouseholdRules {
  readonly #keys: DeviceKeys | undefined
  /** By what was asked for, until whoever asked has looked. */
  readonly #taken = new WeakMap<Asked, Taken>()
  /** By the body of the change that it becomes. */
  readonly #tried = new WeakMap<object, FamilyChange>()

  /** @param keys what passwords are sealed for; without them one that is sealed is refused */
  constructor(keys?: DeviceKeys) {
    this.#keys = keys
  }

  act(views: Views, at: Moment, actor: Actor, asked: Asked): HouseholdOutcome {
    const family = new FamilyChange(views, at)
    const { type, row, action: sent } = parsed(actor, asked.encodedAction)
    const by = actingOf(family, at.device, actor, asked)
    if (by.isSelfLimit && !row.selfLimit) refuse('forbidden', `a child may not do ${type}`)
    const keys = this.#keys
    // The log has passwords as whoever does not seal them sends them: what is good for a day cannot be folded later.
    const action =
      keys === undefined ? sent : withOpenPasswords(sent, (...given) => keys.unseal(at.device, family.timeMs, ...given))
    row.judge(family, action as never, by)
    perform(row, family, action, by)
    const outcome = outcomeOf(type, row, action, by)
    this.#tried.set(outcome.change, family)
    this.#taken.set(asked, { told: toldOf(row, action, by), needsFullSync: by.needsFullSync })
    return outcome
  }

  fold(views: Views, { key, body, ...at }: Change<'household.act'>, hidden: Uint8Array | undefined): void {
    const tried = this.#tried.get(body)
    if (tried?.at.cursor === at.cursor) return tried.keep()
    const family = new FamilyChange(views, at)
    const { actor, userId, selfLimit } = body
    const action = { ...body.action, ...(hidden && (decodeValue(hidden) as Members)) }
    perform(rowOf(actor, key), family, action, new Acting(actor, at.device, userId, selfLimit === true))
    family.keep()
  }

  /** What came of what was asked for; undefined when it was refused. */
  taken(asked: Asked): Taken | undefined {
    return this.#taken.get(asked)
  }
}

function rowOf(actor: Actor, type: string): Row {
  const rows = ACTION_ROWS[actor]
  return Object.hasOwn(rows, type) ? rows[type]! : refuse('unknown-action', `there is no such action of ${actor}`)
}

/** @throws HubError when the text is no action of a type that whoever sent it may send */
function parsed(actor: Actor, encodedAction: string): { type: string; row: Row; action: Members } {
  if (!hasAtMostValues(encodedAction, MAX_VALUES, MAX_MEMBERS)) refuse('too-large', 'the action has too many values')
  let value: unknown
  try {
    value = JSON.parse(encodedAction)
  } catch {
    refuse('bad-action', 'the action is no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse('bad-action', 'the action is no object')
  const { type, ...action } = value as Members
  if (typeof type !== 'string') return refuse('bad-action', 'the action has no type')
  const row = rowOf(actor, type)
  checked('bad-action', row.form, action, 'action')
  return { type, row, action }
}

const perform = (row: Row, family: FamilyChange, action: Members, by: Acting): void => row.effect(family, action as never, by)

function outcomeOf(type: string, row: Row, action: Members, by: Acting): HouseholdOutcome & { readonly change: object } {
  const shown: Members = {}
  const hidden: Members = {}
  if (!row.forgets) for (const [name, value] of Object.entries(action)) (row.hidden.includes(name) ? hidden : shown)[name] = value
  const change = { actor: by.actor, userId: by.user, action: shown, ...(by.isSelfLimit && { selfLimit: true }) }
  if (encodeValue(change).length > LIMITS.maxHouseholdChangeBytes) throw new HubError('too-large', 'the action is too large')
  return { type, change, ...(Object.keys(hidden).length > 0 && { hidden: encodeValue(hidden) }) }
}

function toldOf(row: Row, action: Members, by: Acting): Told {
  by.tell(row.tell)
  if (row.tellTarget > 0) by.tellDevice((action['deviceId'] as string | undefined) ?? by.device, row.tellTarget)
  return by.told
}
