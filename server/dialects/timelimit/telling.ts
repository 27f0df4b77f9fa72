import type { Account } from '../../core/account.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'

/** What is made in one turn of the event loop, in characters. */
const TURN_LENGTH = 65_536

/** Pieces of what is told of a family, with turns of others in between. Nothing is told that is not durable. */
export async function* told(account: Account, clock: Clock, pieces: Iterable<string>): AsyncGenerator<string, void, void> {
  let text = ''
  for (const piece of pieces) {
    text += piece
    if (text.length < TURN_LENGTH) continue
    if (!account.isSettled) await account.settled()
    yield text
    text = ''
    await nextTurn(clock)
  }
  if (!account.isSettled) await account.settled()
  yield text
}
