import type { HouseholdRecord } from '../../core/records.ts'
import type { Account } from '../../core/account.ts'
import { familyOf, type FamilyReading, type StoredFamily } from './family.ts'
import type { Part, Parts } from './records.ts'

/** What each pull looks at: whole parts, for their versions, and single records. */
const KEPT_WHOLE: ReadonlySet<Part> = new Set(['category', 'device'])
const KEPT: ReadonlySet<Part> = new Set(['family', 'device', 'pings', 'keyResponses'])

/** Families for those who look at them often: what every pull needs is decoded once for as long as the account's log stays where it is. */
export class FamilyReadings {
  readonly #kept = new WeakMap<Account, { readonly head: number; readonly family: StoredFamily }>()

  /** The family that an account is now; good until the log moves on. */
  of(account: Account): StoredFamily {
    const kept = this.#kept.get(account)
    if (kept?.head === account.head) return kept.family
    const family = readOnce(familyOf(account.views))
    this.#kept.set(account, { head: account.head, family })
    return family
  }
}

function readOnce(stored: StoredFamily): StoredFamily {
  const records = new Map<string, HouseholdRecord | undefined>()
  const parts = new Map<Part, ReturnType<FamilyReading['all']>>()
  return {
    ...stored,
    get<P extends Part>(part: P, id: string): Parts[P] | undefined {
      if (!KEPT.has(part)) return stored.get(part, id)
      const name = `${part} ${id}`
      if (!records.has(name)) records.set(name, stored.get(part, id))
      return records.get(name) as Parts[P] | undefined
    },
    all<P extends Part>(part: P): [id: string, record: Parts[P]][] {
      if (!KEPT_WHOLE.has(part)) return stored.all(part)
      if (!parts.has(part)) parts.set(part, stored.all(part))
      return parts.get(part) as [string, Parts[P]][]
    }
  }
}
