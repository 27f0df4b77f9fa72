import type { Account } from '../../core/account.ts'
import { familyOf, type FamilyReading, type StoredFamily } from './family.ts'
import type { Part, Parts } from './records.ts'

/** Parts that each pull looks through for versions. */
const KEPT: ReadonlySet<Part> = new Set(['category', 'device'])

type Kept = Map<Part, ReturnType<FamilyReading['all']>>

/** Families for those who look at them often: what has versions is decoded once for as long as the account's log stays where it is. */
export class FamilyReadings {
  readonly #kept = new WeakMap<Account, { readonly head: number; readonly parts: Kept }>()

  of(account: Account): StoredFamily {
    const family = familyOf(account.views)
    let kept = this.#kept.get(account)
    if (kept?.head !== account.head) {
      kept = { head: account.head, parts: new Map() }
      this.#kept.set(account, kept)
    }
    return { ...family, all: part => (KEPT.has(part) ? readOnce(kept.parts, family, part) : family.all(part)) }
  }
}

function readOnce<P extends Part>(kept: Kept, family: FamilyReading, part: P): [id: string, record: Parts[P]][] {
  const known = kept.get(part) as [string, Parts[P]][] | undefined
  if (known !== undefined) return known
  const read = family.all(part)
  kept.set(part, read)
  return read
}
