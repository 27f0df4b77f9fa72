import { HubError, type ActionBody, type Plain } from '../../protocol/index.ts'
import type { Change, Moment } from './change.ts'
import type { Views } from './views.ts'

/** The change that an action of a household makes. */
export interface HouseholdOutcome {
  /** The change's key: the type of the action. */
  readonly type: string
  /** The change's body: what every device of the account may know of it. */
  readonly change: Plain
  /** The part that only the hub may know, as msgpack. */
  readonly hidden?: Uint8Array
}

/** A household's own domain: which of its actions are sound, and what they come to. It keeps its records in the table `household`. */
export interface HouseholdRules {
  /**
   * Checks an action, and changes nothing.
   * @param at where its change will stand; the device is the one that asks
   * @throws HubError the refusal
   */
  act(views: Views, at: Moment, actor: string, body: ActionBody<'household.act'>): HouseholdOutcome
  /** Lets one that was taken have its effect. The same changes in the same order give the same records; it MUST NOT throw on what `act` let through. */
  fold(views: Views, change: Change<'household.act'>, hidden: Uint8Array | undefined): void
}

/** For a hub without households. */
export const NO_HOUSEHOLDS: HouseholdRules = {
  act() {
    throw new HubError('unknown-action', 'this hub keeps no households')
  },
  fold() {
    throw new Error('this hub keeps no households')
  }
}
