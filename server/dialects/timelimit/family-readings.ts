import type { HouseholdRecord } from '../../core/records.ts'
import type { Account } from '../../core/account.ts'
import { familyOf, type FamilyReading, type StoredFamily } from './family.ts'
import type { Part, Parts } from './records.ts'

/** What each pull looks at: whole parts, for their versions, and single records. */
const KEPT_WHOLE: ReadonlySet<Part> = new Set(['category', 'device'])
const KEPT: ReadonlySet<Part> = new Set(['family', 'device', 'pings', 'keyResponses'])

/** Families for those who look at them often: what every pull needs is decoded once for as long as the account's log stays where it is. */
export class FamilyReadings {
  readonly #kept = new WeakMap<Account, StoredFamily>()

  /** The family that an account is, as it is whenever it is read. There is one of each account, so that whoever keeps it keeps no older records. */
  of(account: Account): StoredFamily {
    let family = this.#kept.get(account)
    if (family === undefined) this.#kept.set(account, (family = readOnce(account)))
    return family
  }
}

function readOnce(account: Account): StoredFamily {
  const stored = familyOf(account.views)
  const records = new Map<string, HouseholdRecord | undefined>()
  const parts = new Map<Part, ReturnType<FamilyReading['all']>>()
  let { head } = account
  const forgetIfOld = (): void => {
    if (account.head === head) return
    head = account.head
    records.clear()
    parts.clear()
  }
  return {
    ...stored,
    get<P extends Part>(part: P, id: string): Parts[P] | undefined {
      if (!KEPT.has(part)) return stored.get(part, id)
      forgetIfOld()
      const name = `${part} ${id}`
      if (!records.has(name)) records.set(name, stored.get(part, id))
      return records.get(name) as Parts[P] | undefined
    },
    all<P extends Part>(part: P): [id: string, record: Parts[P]][] {
      if (!KEPT_WHOLE.has(part)) return stored.all(part)
      forgetIfOld()
      if (!parts.has(part)) parts.set(part, stored.all(part))
      return parts.get(part) as [string, Parts[P]][]
    }
  }
}
