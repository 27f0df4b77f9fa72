import { encodeValue, type WireAction } from '../../../protocol/index.ts'
import type { Happening, History } from '../history.ts'
import type { Check } from './index.ts'

/** What is known of one action number of one outbox. */
interface Asked {
  /** What came under it, as a change would say it, and to the byte. */
  readonly contents: Set<string>
  readonly bodies: Set<string>
  /** The content that used the number up: what took effect, or was refused first. */
  first: string | undefined
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
  /** `session number` → what has come to the hub there and was not answered, in order */
  readonly #waiting = new Map<string, string[]>()

  constructor(history: History, effects: Effects) {
    this.#history = history
    this.#effects = effects
  }

  fault(): string | undefined {
    for (const happening of this.#history.happenings) {
      const fault = happening.is === 'sent' || happening.is === 'arrived' ? this.#follow(happening) : undefined
      if (fault !== undefined) return fault
    }
    for (const [name, content] of this.#effects)
      if (this.#asked.get(name)?.contents.has(content) !== true)
        return `${name} took effect with content that was never asked for`
    return undefined
  }

  #follow({ is, session, frame }: Happening & { is: 'sent' | 'arrived' }): string | undefined {
    const { device, client } = this.#history.parties.get(session)!
    const outbox = `${device} ${client}`
    if (frame?.kind === 'push') {
      if (is === 'sent') this.#confirmed.set(outbox, Math.max(this.#confirmed.get(outbox) ?? 0, frame.confirmed))
      for (const action of frame.actions)
        if (is === 'sent') this.#ask(outbox, action)
        else this.#wait(session, action)
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
    const asked = this.#asked.get(name) ?? {
      contents: new Set(),
      bodies: new Set(),
      first: this.#effects.get(name),
      answer: undefined
    }
    this.#asked.set(name, asked)
    asked.contents.add(this.#contentOf(action))
    asked.bodies.add(Buffer.from(encodeValue(action.slice(2) as never)).toString('latin1'))
  }

  #wait(session: number, action: WireAction): void {
    const name = `${session} ${action[0]}`
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.set(name, waiting)
    waiting.push(this.#contentOf(action))
  }

  #answer(session: number, outbox: string, number: number, answer: number | string): string | undefined {
    const name = `${outbox} ${number}`
    const asked = this.#asked.get(name)
    const waiting = this.#waiting.get(`${session} ${number}`) ?? []
    if (asked === undefined || waiting.length === 0) return `${name} was answered, and was not asked for`
    const isSpent = answer === 'already-done' || answer === 'action-conflict'
    if (!isSpent) asked.first ??= waiting[0]
    const at = waiting.findIndex(content => (content === asked.first) !== isSpent)
    if (at < 0 && !isSpent) return `${name} came with other content, and was answered like the first`
    waiting.splice(Math.max(0, at), 1)
    if (answer === 'already-done')
      return number > this.#confirmed.get(outbox)! && asked.answer !== undefined
        ? `the answer to ${name} was forgotten before it was confirmed`
        : undefined
    if (answer === 'action-conflict')
      return asked.bodies.size === 1 ? `${name} was refused for other content, and came with none` : undefined
    asked.answer ??= answer
    return asked.answer === answer ? undefined : `${name} was answered with ${asked.answer}, and then with ${answer}`
  }

  #contentOf([, , kind, key, body]: WireAction): string {
    return this.#history.contentOf(kind, key, body)
  }
}
