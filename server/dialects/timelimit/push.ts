import { HubError, list, map, number, oneOf, type ActionBody, type Infer, type WireAction } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import { Origin } from '../../core/origin.ts'
import { refusalOfDevice } from '../../core/policy.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import type { Answers } from '../../core/pending-commit.ts'
import { OneByOne } from '../one-by-one.ts'
import type { Level, Told } from './acting.ts'
import { anyText } from './forms.ts'
import type { TimeLimitHousehold } from './household.ts'
import { Refused } from './refusals.ts'
import type { Caller } from './tokens.ts'

const MAX_ACTIONS = 50
/** What is taken in one turn of the event loop; what is behind it waits for the next. */
const TURN_LENGTH = 65_536
const TURN_MS = 5

const anyNumber = number(-Number.MAX_VALUE, Number.MAX_VALUE)

/** The body of `/sync/push-actions`. What is wrong within an action is that action's alone. */
export const pushedActions = map({
  deviceAuthToken: anyText,
  actions: list(
    map({
      encodedAction: anyText,
      sequenceNumber: anyNumber,
      integrity: anyText,
      type: oneOf('appLogic', 'parent', 'child'),
      userId: anyText
    }),
    MAX_ACTIONS
  )
})

type Pushed = Infer<typeof pushedActions>['actions'][number]
type Asked = ActionBody<'household.act'>

export interface PushParts {
  readonly household: TimeLimitHousehold
  readonly clock: Clock
  /** What a device did is durable, and concerns others. */
  readonly told: (account: Account, device: string, told: Told) => void
}

/** Takes what devices push. A device's pushes are taken one behind the other: its numbers mean an order. */
export class Pushes {
  readonly #parts: PushParts
  /** By device. */
  readonly #queues = new OneByOne()

  constructor(parts: PushParts) {
    this.#parts = parts
  }

  /**
   * Lets actions take effect, each by itself and at most once, in their order. Resolves once they are durable.
   * @returns true when one was refused or sent before, or passed over in part: then the device looks at everything again
   * @throws HubError when the hub takes nothing now, or the account has used up its share: what was not taken keeps its number; Refused 401 when the device is cut off meanwhile; what was taken before stays so
   */
  push(caller: Caller, actions: readonly Pushed[]): Promise<boolean> {
    return this.#queues.run(`${caller.account.id}/${caller.device}`, () => this.#take(caller, actions))
  }

  async #take(caller: Caller, actions: readonly Pushed[]): Promise<boolean> {
    const { account, device } = caller
    const isLetIn = (): boolean => refusalOfDevice(account.views, device) === undefined
    if (!isLetIn()) throw new Refused(401)
    const first = account.lastNumber(device, '')
    const { fresh, hasOld } = freshOf(actions, first)
    const answers: Promise<Answers>[] = []
    const { clock } = this.#parts
    let [length, beganMs] = [0, clock.nowMs()]
    for (const action of fresh) {
      if (length > TURN_LENGTH || Math.abs(clock.nowMs() - beganMs) > TURN_MS) {
        await nextTurn(clock)
        if (!isLetIn()) break
        ;[length, beganMs] = [0, clock.nowMs()]
      }
      // A refusal would use the number up, and its sender forgets what it has an answer to.
      if (account.isFull) break
      answers.push(this.#submit(caller, first, action))
      length += action.asked.encodedAction.length
    }
    const isRefused = (await Promise.all(answers)).some(({ refused }) => refused.length > 0)
    const isPassedOver = this.#tell(caller, fresh)
    if (!isLetIn()) throw new Refused(401)
    if (answers.length < fresh.length) throw new HubError('quota-exceeded')
    return hasOld || isRefused || isPassedOver
  }

  #submit({ account, device }: Caller, confirmed: number, { number, actor, asked }: Fresh): Promise<Answers> {
    const wire: WireAction = [number, Math.floor(this.#parts.clock.nowMs()), 'household.act', actor, asked]
    let answered: (answers: Answers) => void
    const answers = new Promise<Answers>(resolve => (answered = resolve))
    account.submit(new Origin(device, '', 'operator'), confirmed, [wire], { answered: answers => answered(answers) })
    return answers
  }

  /** @returns true when a part of an action was passed over */
  #tell({ account, device }: Caller, fresh: readonly Fresh[]): boolean {
    let others: Level = 0
    let needsFullSync = false
    const devices = new Map<string, Level>()
    for (const { asked } of fresh) {
      const taken = this.#parts.household.taken(asked)
      if (taken === undefined) continue
      needsFullSync ||= taken.needsFullSync
      if (taken.told.others > others) others = taken.told.others
      for (const [other, level] of taken.told.devices) if (level > (devices.get(other) ?? 0)) devices.set(other, level)
    }
    if (others > 0 || devices.size > 0) this.#parts.told(account, device, { others, devices })
    return needsFullSync
  }
}

interface Fresh {
  /** Of the action in the log's count, which begins at 1. */
  readonly number: number
  readonly actor: Pushed['type']
  readonly asked: Asked
}

/**
 * Those that were not sent before: a number below the next one is old, and gaps are fine.
 * @param next the least number that is new
 */
function freshOf(actions: readonly Pushed[], next: number): { fresh: Fresh[]; hasOld: boolean } {
  const fresh: Fresh[] = []
  let least = next
  for (const { type, ...asked } of actions) {
    // A number that a count cannot go on from would leave the device without one that is new.
    const number = Math.ceil(asked.sequenceNumber) + 1
    if (asked.sequenceNumber < least || !Number.isSafeInteger(number + 1)) continue
    least = number
    fresh.push({ number, actor: type, asked })
  }
  return { fresh, hasOld: fresh.length < actions.length }
}
