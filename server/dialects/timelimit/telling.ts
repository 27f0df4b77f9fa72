import { HubError } from '../../../protocol/index.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import type { Caller } from './tokens.ts'

/** What is made in one turn of the event loop, in characters. */
const TURN_LENGTH = 65_536
/** Long answers to one device that are on their way. Each holds what it is at until its reader takes it; a device pulls once at a time. */
const MAX_LONG_ANSWERS = 4
const RETRY_AFTER_MS = 1_000

/** An answer that is JSON already: whole, or made while it is sent. */
export class Json {
  readonly text: string | AsyncGenerator<string, void, void>

  constructor(text: string | AsyncGenerator<string, void, void>) {
    this.text = text
  }
}

/** What is told of families, from its pieces: a long answer with turns of others in between. Nothing is told that is not durable. */
export class Telling {
  readonly #clock: Clock
  /** By device: how many long answers to it are on their way. */
  readonly #underWay = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A long answer begins with HubError `overloaded` while its device has others to read first. */
  async tell(caller: Caller, pieces: Iterator<string, unknown>): Promise<Json> {
    const { account } = caller
    let begun = ''
    for (;;) {
      const { done, value } = pieces.next()
      if (done === true) break
      begun += value
      if (begun.length >= TURN_LENGTH) return new Json(this.#inTurns(caller, begun, pieces))
    }
    if (!account.isSettled) await account.settled()
    return new Json(begun)
  }

  async *#inTurns(
    { account, device }: Caller,
    begun: string,
    pieces: Iterator<string, unknown>
  ): AsyncGenerator<string, void, void> {
    const name = `${account.id}/${device}`
    const underWay = (this.#underWay.get(name) ?? 0) + 1
    if (underWay > MAX_LONG_ANSWERS)
      throw new HubError('overloaded', 'the device has other answers to read first', { retryAfterMs: RETRY_AFTER_MS })
    this.#underWay.set(name, underWay)
    try {
      let text = begun
      for (let { done, value } = pieces.next(); done !== true; { done, value } = pieces.next()) {
        if (text.length >= TURN_LENGTH) {
          if (!account.isSettled) await account.settled()
          yield text
          text = ''
          await nextTurn(this.#clock)
        }
        text += value as string
      }
      if (!account.isSettled) await account.settled()
      yield text
    } finally {
      const left = this.#underWay.get(name)! - 1
      if (left === 0) this.#underWay.delete(name)
      else this.#underWay.set(name, left)
    }
  }
}
