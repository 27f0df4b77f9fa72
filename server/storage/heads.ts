import { StoreConflict, type Append, type LogEnd } from '../core/store.ts'

/**
 * The end that a log has after an append.
 *
 * @throws StoreConflict when `head` is not what the append saw
 * @throws TypeError when its runs are not dense
 */
export function headAfter({ account, epoch, after, runs }: Append, head: LogEnd | undefined): LogEnd {
  if (after !== (head?.head ?? 0) || (head !== undefined && epoch !== head.epoch)) throw new StoreConflict(account, head)
  let last = after
  for (const { first, count } of runs) {
    if (first !== last + 1 || !(count >= 1 && count < 2 ** 32))
      throw new TypeError(`a run of ${account} begins at ${first}, behind ${last}`)
    last += count
  }
  if (last === after || !Number.isSafeInteger(last)) throw new TypeError(`an append to ${account} ends at ${last}`)
  return { epoch, head: last }
}

interface Flight {
  head: LogEnd
  commits: number
}

/** Where logs end, on disk and with the commits that are under way. Remembers those used last. */
export class Heads {
  readonly #load: (account: string) => LogEnd | undefined
  readonly #limit: number
  /** On disk; the one used last stands last. */
  readonly #durable = new Map<string, LogEnd>()
  /** As they will be when the commits under way are on disk. */
  readonly #flights = new Map<string, Flight>()

  /**
   * @param load reads a head from disk
   * @param limit how many heads to remember beside those under way
   */
  constructor(load: (account: string) => LogEnd | undefined, limit: number) {
    this.#load = load
    this.#limit = limit
  }

  durable(account: string): LogEnd | undefined {
    const head = this.#durable.get(account) ?? this.#load(account)
    if (head !== undefined) this.#remember(account, head)
    return head
  }

  /**
   * The heads that the appends lead to, each checked against the one before.
   *
   * @throws StoreConflict, TypeError as `headAfter` does
   */
  plan(appends: readonly Append[]): Map<string, LogEnd> {
    const planned = new Map<string, LogEnd>()
    for (const append of appends) {
      const { account } = append
      const head = planned.get(account) ?? this.#flights.get(account)?.head ?? this.durable(account)
      planned.set(account, headAfter(append, head))
    }
    return planned
  }

  begin(planned: ReadonlyMap<string, LogEnd>): void {
    for (const [account, head] of planned) {
      const flight = this.#flights.get(account)
      if (flight === undefined) this.#flights.set(account, { head, commits: 1 })
      else {
        flight.head = head
        flight.commits++
      }
    }
  }

  /** MUST be called in the order of `begin`, once the commit is on disk. */
  settle(planned: ReadonlyMap<string, LogEnd>): void {
    for (const [account, head] of planned) {
      const flight = this.#flights.get(account)!
      if (--flight.commits === 0) this.#flights.delete(account)
      // A read of the disk may already have seen the commit after this one.
      if (head.head > (this.#durable.get(account)?.head ?? 0)) this.#remember(account, head)
    }
  }

  #remember(account: string, head: LogEnd): void {
    this.#durable.delete(account)
    this.#durable.set(account, head)
    if (this.#durable.size > this.#limit) this.#durable.delete(this.#durable.keys().next().value!)
  }
}
