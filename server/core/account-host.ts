import type { ChangeBody, HubError } from '../../protocol/index.ts'
import type { Account } from './account.ts'
import type { Background } from './documents/steps.ts'
import type { TurnBudget } from './documents/turn-budget.ts'
import type { HouseholdRules } from './household.ts'
import type { Clock } from './ports.ts'
import type { Store } from './store.ts'
import type { Tally } from './tally.ts'

/** Someone who is told of every new change, in order, once it is durable. */
export interface Follower {
  readonly device: string
  readonly client: string
  /** Why its token lets nobody in any more; undefined while it does. */
  refusal(): HubError | undefined
  /** One run: the `changes` frame that holds it, and the cursors of its first and last change. */
  deliver(frame: Uint8Array, first: number, last: number): void
  /** Ends its connection, naming the reason. */
  end(reason: HubError): void
}

/** What an account needs of the hub that it belongs to. */
export interface AccountHost {
  readonly store: Store
  readonly clock: Clock
  /** Does the work that can wait. */
  readonly background: Background
  /** The work on documents that is left in this turn of the event loop. */
  readonly turnBudget: TurnBudget
  /** @throws HubError `storage-full` while nothing may be written */
  mustTakeWrites(): void
  /** About the most bytes that one account may take in the store. */
  readonly maxAccountBytes: number
  readonly household: HouseholdRules
  readonly tally: Tally
  /** There is something to commit. */
  wake(account: Account): void
  /** Something threw half-way that should not have: the account in memory may differ from its log, and MUST be opened anew. */
  broken(account: Account, error: unknown): void
  /**
   * A book was put, removed or restored. It is not durable yet, and what is done about it MUST wait for that.
   * @param body what was put; empty when nothing was
   */
  bookChanged(account: Account, book: string, body: ChangeBody<'book.put'>): void
}
