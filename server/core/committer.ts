import type { Account } from './account.ts'
import type { PendingCommit } from './pending-commit.ts'
import type { Clock } from './ports.ts'
import type { Append, RecordWrite, Store } from './store.ts'

interface Group {
  readonly appends: Append[]
  readonly writes: RecordWrite[]
  readonly members: { readonly account: Account; readonly pending: PendingCommit }[]
}

/**
 * Commits in groups: everything that arrived in one turn of the event loop, of all accounts, is one transaction and one flush.
 * While a flush is under way the next group gathers, so that the busier the hub is, the more share a flush.
 */
export class Committer {
  readonly #store: Store
  readonly #clock: Clock
  readonly #onFailure: (error: unknown) => void
  readonly #waiting = new Set<Account>()
  #isRunning = false

  /** @param onFailure MUST end the hub: what a failed commit left behind cannot be known */
  constructor(store: Store, clock: Clock, onFailure: (error: unknown) => void) {
    this.#store = store
    this.#clock = clock
    this.#onFailure = onFailure
  }

  /** Sees to it that what the account has gathered is committed soon. */
  readonly wake = (account: Account): void => {
    this.#waiting.add(account)
    if (this.#isRunning) return
    this.#isRunning = true
    this.#clock.nextTurn(() => {
      this.#run().catch(this.#onFailure)
    })
  }

  async #run(): Promise<void> {
    let group = this.#gather()
    let commit = this.#commit(group)
    for (;;) {
      await commit
      for (const { account, pending } of group.members) account.committed(pending)
      const durable = group
      // The disk works on the next group while this one is announced.
      const hasMore = this.#waiting.size > 0
      if (hasMore) {
        group = this.#gather()
        commit = this.#commit(group)
      }
      for (const { account, pending } of durable.members) account.announce(pending)
      if (!hasMore) break
    }
    this.#isRunning = false
    const [late] = this.#waiting
    if (late !== undefined) this.wake(late)
  }

  #gather(): Group {
    const group: Group = { appends: [], writes: [], members: [] }
    for (const account of this.#waiting) {
      const { append, writes, pending } = account.takePending()
      if (append !== undefined) group.appends.push(append)
      for (const write of writes) group.writes.push(write)
      group.members.push({ account, pending })
    }
    this.#waiting.clear()
    return group
  }

  async #commit({ appends, writes }: Group): Promise<void> {
    if (appends.length > 0 || writes.length > 0) await this.#store.commit({ appends, writes })
  }
}
