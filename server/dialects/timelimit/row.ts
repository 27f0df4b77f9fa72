import { map, type InferFields, type Shape } from '../../../protocol/index.ts'
import type { Acting, Level } from './acting.ts'
import type { FamilyChange } from './family-change.ts'
import type { CategoryPart, ListName } from './records.ts'

type Fields = Readonly<Record<string, Shape<unknown>>>

/** Everything about one type of action. */
export interface Row {
  /** Its members beside `type`; there may be no others. */
  readonly fields: Fields
  readonly form: Shape<unknown>
  /** Members that never leave the hub by the log. */
  readonly hidden: readonly string[]
  /** Nothing of it is kept but that it was done. */
  readonly forgets: boolean
  /** A child may do it to limit itself. */
  readonly selfLimit: boolean
  /** What it changes, for the written table: the effect itself says what of it. */
  readonly versions: readonly (ListName | CategoryPart | 'appsB' | 'appsD')[]
  /** How urgently the other devices are told. */
  readonly tell: Level
  /** How urgently the device is that the action names. */
  readonly tellTarget: Level
  /** What it does, in words. */
  readonly text: string
  /**
   * What is asked beside what the effect asks, before an action is taken: it may come to refuse more, as logs hold what was taken before.
   * @throws HubError the refusal
   */
  readonly judge: (family: FamilyChange, action: never, by: Acting) => void
  /**
   * Done again whenever the log is folded: it may come to refuse less than it does, and never more.
   * @throws HubError when what it speaks of is not there, or may not be
   */
  readonly effect: (family: FamilyChange, action: never, by: Acting) => void
}

type RowOf<F extends Fields> = Partial<Pick<Row, 'hidden' | 'forgets' | 'selfLimit' | 'versions' | 'tellTarget'>> &
  Pick<Row, 'tell' | 'text'> & {
    readonly fields: F
    readonly judge?: (family: FamilyChange, action: InferFields<F>, by: Acting) => void
    readonly effect: (family: FamilyChange, action: InferFields<F>, by: Acting) => void
  }

export const row = <const F extends Fields>(given: RowOf<F>): Row => ({
  hidden: [],
  forgets: false,
  selfLimit: false,
  versions: [],
  tellTarget: 0,
  judge: () => undefined,
  ...given,
  form: map(given.fields)
})

export type Rows = Readonly<Record<string, Row>>
