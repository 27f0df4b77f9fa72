import { encodeValue, type WireAction } from '../../../protocol/index.ts'
import type { Happening, History } from '../history.ts'
import type { Check } from './index.ts'

/** What is known of one action number of one outbox. */
interface Asked {
  /** What came under it, to the byte. */
  readonly contents: Set<string>
  /** What took effect; or else what was asked for first. */
  readonly first: string
  /** The answer that counts: a cursor, or why it was refused. */
  answer: number | string | undefined
}

/** `device client number` → the content of the change */
type Effects = ReadonlyMap<string, string>

/** A number takes effect once; a repeat gets the first answer, and other content under it is refused. */
export const exactlyOnce: Check = history => {
  const effects = effectsIn(history)
  return typeof effects === 'string' ? effects : new Answers(history, effects).fault()
}

/** What took effect under each number; or what did so twice. */
function effectsIn({ logs, contentOf }: History): Effects | string {
  const effects = new Map<string, string>()
  for (const log of logs.values())
    for (const [cursor, , device, client, number, , kind, key, body] of log) {
      if (number === 0) continue
      const name = `${device} ${client} ${number}`
      if (effects.has(name)) return `${number} of ${client} took effect again at ${cursor}`
      effects.set(name, contentOf(kind, key, body))
    }
  return effects
}

/** Follows what is asked and answered, session by session. */
class Answers {
  readonly #history: History
  readonly #effects: Effects
  readonly #asked = new Map<string, Asked>()
  /** `device client` → the number up to which it has said that it has its answers */
  readonly #confirmed = new Map<string, number>()
  /** `session number` → how often the first content, and another, have come to the hub there and were not answered */
  readonly #waiting = new Map<string, { firsts: number; others: number }>()

  constructor(history: History, effects: Effects) {
    this.#history = history
    this.#effects = effects
  }

  fault(): string | undefined {
    for (const happening of this.#history.happenings) {
      const fault = happening.is === 'sent' || happening.is === 'arrived' ? this.#follow(happening) : undefined
      if (fault !== undefined) return fault
    }
    for (const [name, content] of this.#effects) {
      const asked = this.#asked.get(name)
      if (asked === undefined) return `${name} took effect, and was never asked for`
      if (asked.first !== content) return `${name} took effect with other content than it was asked for`
    }
    return undefined
  }

  #follow({ is, session, frame }: Happening & { is: 'sent' | 'arrived' }): string | undefined {
    const { device, client } = this.#history.parties.get(session)!
    const outbox = `${device} ${client}`
    if (frame?.kind === 'push') {
      if (is === 'sent') this.#confirmed.set(outbox, Math.max(this.#confirmed.get(outbox) ?? 0, frame.confirmed))
      for (const action of frame.actions)
        if (is === 'sent') this.#ask(outbox, action)
        else this.#wait(session, outbox, action)
    }
    if (frame?.kind !== 'acked' || is === 'arrived') return undefined
    for (const [number, cursor] of frame.accepted) {
      const fault = this.#answer(session, outbox, number, cursor)
      if (fault !== undefined) return fault
    }
    for (const [number, code] of frame.refused) {
      const fault = this.#answer(session, outbox, number, code)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  #ask(outbox: string, action: WireAction): void {
    const name = `${outbox} ${action[0]}`
    const content = this.#contentOf(action)
    const effect = this.#effects.get(name)
    const asked = this.#asked.get(name) ?? { contents: new Set(), first: content, answer: undefined }
    asked.contents.add(Buffer.from(encodeValue(action.slice(2) as never)).toString('latin1'))
    // Of an old copy's numbers another action may have come to the hub before the one that was sent first.
    this.#asked.set(name, content === effect && asked.first !== effect ? { ...asked, first: effect } : asked)
  }

  #wait(session: number, outbox: string, action: WireAction): void {
    const name = `${session} ${action[0]}`
    const waiting = this.#waiting.get(name) ?? { firsts: 0, others: 0 }
    this.#waiting.set(name, waiting)
    const first = this.#effects.get(`${outbox} ${action[0]}`) ?? this.#asked.get(`${outbox} ${action[0]}`)!.first
    if (this.#contentOf(action) === first) waiting.firsts += 1
    else waiting.others += 1
  }

  #answer(session: number, outbox: string, number: number, answer: number | string): string | undefined {
    const name = `${outbox} ${number}`
    const asked = this.#asked.get(name)
    const waiting = this.#waiting.get(`${session} ${number}`)
    if (asked === undefined || waiting === undefined) return `${name} was answered, and was not asked for`
    const isSpent = answer === 'already-done' || answer === 'action-conflict'
    if (waiting.others > 0 && (isSpent || waiting.firsts === 0)) {
      waiting.others -= 1
      if (!isSpent) return `${name} came with other content, and was answered like the first`
    } else waiting.firsts -= 1
    if (answer === 'already-done')
      return number > this.#confirmed.get(outbox)! && asked.answer !== undefined
        ? `the answer to ${name} was forgotten before it was confirmed`
        : undefined
    if (answer === 'action-conflict')
      return asked.contents.size === 1 ? `${name} was refused for other content, and came with none` : undefined
    asked.answer ??= answer
    return asked.answer === answer ? undefined : `${name} was answered with ${asked.answer}, and then with ${answer}`
  }

  #contentOf([, , kind, key, body]: WireAction): string {
    return this.#history.contentOf(kind, key, body)
  }
}
