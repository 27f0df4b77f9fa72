import { encodeValue, type Plain, type WireAction } from '../../../protocol/index.ts'
import type { Check } from './index.ts'

/** What is known of one action number of one outbox. */
interface Asked {
  readonly contents: Set<string>
  readonly first: WireAction
  /** The answer that counts: a cursor, or why it was refused. */
  answer: number | string | undefined
}

interface Outbox {
  readonly asked: Map<number, Asked>
  confirmed: number
}

/** True for an answer that says that the number was used up before. */
const isSpent = (answer: number | string): boolean => answer === 'already-done' || answer === 'action-conflict'

const contentOf = ([, , kind, key, body]: WireAction): string => Buffer.from(encodeValue([kind, key, body])).toString('latin1')
const bodyOf = (body: Plain): string => Buffer.from(encodeValue(body)).toString('latin1')

/** A number takes effect once, with the content that it came with first; a repeat gets the first answer, and other content is refused. */
export const exactlyOnce: Check = ({ happenings, parties, logs }) => {
  const outboxes = new Map<string, Outbox>()
  const outboxOf = (device: string, client: string): Outbox => {
    const name = `${device} ${client}`
    const known = outboxes.get(name) ?? { asked: new Map<number, Asked>(), confirmed: 0 }
    outboxes.set(name, known)
    return known
  }
  /** `session number` → what has come to the hub there and was not answered: the content that came first, or another. */
  const open = new Map<string, { firsts: number; others: number }>()
  for (const happening of happenings) {
    if (happening.is !== 'sent' && happening.is !== 'arrived') continue
    const { frame, session } = happening
    const { device, client } = parties.get(session)!
    const outbox = outboxOf(device, client)
    if (happening.is === 'arrived') {
      if (frame?.kind !== 'push') continue
      for (const action of frame.actions) {
        const name = `${session} ${action[0]}`
        const waiting = open.get(name) ?? { firsts: 0, others: 0 }
        open.set(name, waiting)
        if (contentOf(action) === contentOf(outbox.asked.get(action[0])!.first)) waiting.firsts += 1
        else waiting.others += 1
      }
    } else if (frame?.kind === 'push') {
      outbox.confirmed = Math.max(outbox.confirmed, frame.confirmed)
      for (const action of frame.actions) {
        const asked = outbox.asked.get(action[0]) ?? { contents: new Set<string>(), first: action, answer: undefined }
        asked.contents.add(contentOf(action))
        outbox.asked.set(action[0], asked)
      }
    }
    if (frame?.kind !== 'acked') continue
    const answers: [number, number | string][] = [
      ...frame.accepted,
      ...frame.refused.map(([number, code]): [number, string] => [number, code])
    ]
    for (const [number, answer] of answers) {
      const asked = outbox.asked.get(number)
      const waiting = open.get(`${session} ${number}`)
      if (waiting !== undefined && waiting.others > 0 && (isSpent(answer) || waiting.firsts === 0)) {
        waiting.others -= 1
        if (!isSpent(answer)) return `${number} of ${client} came with other content, and was answered like the first`
      } else if (waiting !== undefined) waiting.firsts -= 1
      if (asked === undefined) return `${client} was answered about ${number}, for which it never asked`
      if (answer === 'already-done') {
        if (number > outbox.confirmed && asked.answer !== undefined)
          return `the answer to ${number} of ${client} was forgotten before it was confirmed`
      } else if (answer === 'action-conflict') {
        if (asked.contents.size === 1) return `${number} of ${client} was refused for other content, and came with none`
      } else if (asked.answer === undefined) asked.answer = answer
      else if (asked.answer !== answer) return `${number} of ${client} was answered with ${asked.answer}, and then with ${answer}`
    }
  }
  for (const log of logs.values()) {
    const seen = new Set<string>()
    for (const [cursor, , device, client, number, , kind, key, body] of log) {
      if (number === 0) continue
      const name = `${device} ${client} ${number}`
      if (seen.has(name)) return `${number} of ${client} took effect again at ${cursor}`
      seen.add(name)
      const first = outboxOf(device, client).asked.get(number)?.first
      if (first === undefined) return `change ${cursor} is of ${client}, which never asked for ${number}`
      const isDocument = kind === 'annotation.update'
      if (
        isDocument !== first[2].startsWith('annotation.') ||
        key !== first[3] ||
        (!isDocument && (kind !== first[2] || bodyOf(body) !== bodyOf(first[4])))
      )
        return `${number} of ${client} took effect with other content than it first came with`
    }
  }
  return undefined
}
