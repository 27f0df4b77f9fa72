import type { Clock, Logger } from './core/ports.ts'

const MOST_A_MINUTE = 20
const MINUTE_MS = 60_000

/** Logs sign-ins that failed, and from where. Those who guess fill no disk: what is over so many a minute is only counted. */
export function createFailureLog(logger: Logger, clock: Clock): (remote: string) => void {
  let count = 0
  const tellRest = (): void => {
    if (count > MOST_A_MINUTE) logger.info({ leftOut: count - MOST_A_MINUTE }, 'more sign-ins failed within a minute')
    count = 0
  }
  return remote => {
    if (count === 0) clock.setTimer(MINUTE_MS, tellRest)
    count++
    if (count <= MOST_A_MINUTE) logger.info({ remote }, 'a sign-in failed: the name, the password or the pairing code is wrong')
  }
}
