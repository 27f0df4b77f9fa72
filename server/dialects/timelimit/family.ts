import type { HouseholdRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'
import type { Part, Parts } from './records.ts'

/** More than there can be of anything: what there is, is read whole. */
const ALL = 100_000

/** The records of a family, as they are read. */
export interface FamilyReading {
  get<P extends Part>(part: P, id: string): Parts[P] | undefined
  /** All of a part, in the order of ids. */
  all<P extends Part>(part: P): [id: string, record: Parts[P]][]
}

/** The family that an account is. Of an account that is none, `get('family', 'family')` is undefined. */
export const familyOf = (views: Views): FamilyReading => ({
  get: <P extends Part>(part: P, id: string) => views.get('household', part, id) as unknown as Parts[P] | undefined,
  all: <P extends Part>(part: P) => views.range('household', [part], '', ALL) as unknown as [string, Parts[P]][]
})

/** A record without the change that last touched it. */
export type Given<R> = Omit<R, keyof HouseholdRecord>
