import type { Account } from '../../core/account.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'

/** What is made in one turn of the event loop, in characters. */
const TURN_LENGTH = 65_536

/** An answer that is JSON already: whole, or made while it is sent. */
export class Json {
  readonly text: string | AsyncGenerator<string, void, void>

  constructor(text: string | AsyncGenerator<string, void, void>) {
    this.text = text
  }
}

/** What is told of a family, from its pieces: a long one with turns of others in between. Nothing is told that is not durable. */
export async function told(account: Account, clock: Clock, pieces: Iterator<string, unknown>): Promise<Json> {
  let begun = ''
  for (;;) {
    const { done, value } = pieces.next()
    if (done === true) break
    begun += value
    if (begun.length >= TURN_LENGTH) return new Json(inTurns(account, clock, begun, pieces))
  }
  if (!account.isSettled) await account.settled()
  return new Json(begun)
}

async function* inTurns(
  account: Account,
  clock: Clock,
  begun: string,
  pieces: Iterator<string, unknown>
): AsyncGenerator<string, void, void> {
  let text = begun
  for (let { done, value } = pieces.next(); done !== true; { done, value } = pieces.next()) {
    if (text.length >= TURN_LENGTH) {
      if (!account.isSettled) await account.settled()
      yield text
      text = ''
      await nextTurn(clock)
    }
    text += value as string
  }
  if (!account.isSettled) await account.settled()
  yield text
}
