import { LIMITS, type ErrorCode, type HubError } from '../../protocol/index.ts'
import { firstIndex } from './first-index.ts'
import type { Answer, ClientRecord } from './records.ts'
import type { Views } from './views.ts'

/** A refusal's words are cut to so many characters: they are stored with each answer. */
const MAX_MESSAGE_LENGTH = 160
const MAX_FIELD_LENGTH = 80
/** Only so many of the newest answers keep the words of their refusals: with each new answer, all that is kept is stored anew. */
const WORDED_ANSWERS = 64

/** An outbox of which nothing is known yet. */
export const newClient = (): ClientRecord => ({ lastNumber: 0, answers: [] })

/** False when a device has used so many client ids that it may have no new one. What the hub keeps for each is kept for good. */
export function admits(views: Views, device: string, client: string): boolean {
  if (views.get('clients', device, client) !== undefined) return true
  return views.count('clients', [device], LIMITS.maxDeviceClients) < LIMITS.maxDeviceClients
}

/** What is to be done with a numbered action. */
export type Verdict = 'fresh' | 'conflict' | 'already-done' | Answer

/** Tells a new action from a repeat, and a repeat from another action under the same number. */
export function judge(record: ClientRecord, number: number, digest: number): Verdict {
  if (number > record.lastNumber) return 'fresh'
  const answer = find(record.answers, number)
  if (answer === undefined) return 'already-done'
  return answer[1] === digest ? answer : 'conflict'
}

/** Keeps the answer to a new action, and forgets the words of older ones, and the oldest beyond the limit. */
export function keepAnswer(record: ClientRecord, answer: Answer): void {
  const { answers } = record
  record.lastNumber = answer[0]
  answers.push(answer)
  const at = answers.length - 1 - WORDED_ANSWERS
  const older = answers[at]
  if (older?.length === 6) answers[at] = [older[0], older[1], 0, older[3], '', '']
  if (answers.length > LIMITS.maxKeptAnswers) answers.splice(0, answers.length - LIMITS.maxKeptAnswers)
}

/** Forgets what the client says has arrived. */
export function confirm(record: ClientRecord, confirmed: number): void {
  const { answers } = record
  while (answers.length > 0 && answers[0]![0] <= confirmed) answers.shift()
}

export const refusalAnswer = (number: number, digest: number, error: HubError): Answer => [
  number,
  digest,
  0,
  error.code satisfies ErrorCode,
  error.message.slice(0, MAX_MESSAGE_LENGTH),
  error.field.slice(0, MAX_FIELD_LENGTH)
]

/** Numbers rise along the list. */
function find(answers: readonly Answer[], number: number): Answer | undefined {
  const answer = answers[firstIndex(answers.length, index => answers[index]![0] < number)]
  return answer?.[0] === number ? answer : undefined
}
