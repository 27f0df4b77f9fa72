import type { HouseholdRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'
import type { KeyRequestRecord, Part, Parts } from './records.ts'

/** More than there can be of anything: what there is, is read whole. */
const ALL = 100_000
const PAGE = 64

/** The records of a family, as they are read. */
export interface FamilyReading {
  get<P extends Part>(part: P, id: string): Parts[P] | undefined
  /** All of a part, in the order of ids. */
  all<P extends Part>(part: P): [id: string, record: Parts[P]][]
}

/** Those that a family's account holds. */
export interface StoredFamily extends FamilyReading {
  /** Key requests above this number, by rising number; read as far as they are taken. */
  keyRequestsAfter(number: number): Iterable<KeyRequestRecord>
}

/** The id of a key request's record: numbers sort as texts of one length do. */
export const keyRequestId = (number: number): string => String(number).padStart(16, '0')

/** The family that an account is. Of an account that is none, `get('family', 'family')` is undefined. */
export const familyOf = (views: Views): StoredFamily => ({
  get: <P extends Part>(part: P, id: string) => views.get('household', part, id) as unknown as Parts[P] | undefined,
  all: <P extends Part>(part: P) => views.range('household', [part], '', ALL) as unknown as [string, Parts[P]][],
  *keyRequestsAfter(number) {
    let after = number < 1 ? '' : keyRequestId(Math.floor(number))
    for (;;) {
      const page = views.range('household', ['keyRequest'], after, PAGE) as unknown as [string, KeyRequestRecord][]
      for (const [, request] of page) yield request
      if (page.length < PAGE) return
      after = page.at(-1)![0]
    }
  }
})

/** A record without the change that last touched it. */
export type Given<R> = Omit<R, keyof HouseholdRecord>
