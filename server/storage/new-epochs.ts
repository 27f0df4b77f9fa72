import { openEnvironment } from './environment.ts'
import { behind, epochKey, epochPrefix, accountOfEpoch } from './keys.ts'
import { keySum, sealValue } from './layout.ts'
import { LOG_LIMITS, Logs, type Put } from './logs.ts'

const EPOCHS_PER_TRANSACTION = 1_000

/**
 * Makes a copied store one of its own: every log gets a new epoch, so that a cursor of the log that it was copied from cannot be misread.
 * MUST have the file to itself.
 *
 * @returns how many logs there are
 * @throws StoreDamage when the journal is not what was written
 */
export async function renewEpochs(path: string, newEpoch: () => string): Promise<number> {
  const db = openEnvironment(path)
  const put = (puts: readonly Put[]): void =>
    db.transactionSync(() => {
      for (const [key, record] of puts) void (record === undefined ? db.remove(key) : db.put(key, record))
    })
  try {
    // An epoch may stand in the journal only: so that is emptied first.
    const logs = new Logs(db, LOG_LIMITS)
    while (!logs.isAtRest) {
      const step = logs.plan([], true)
      logs.begin(step)
      put(step.puts)
      logs.settle(step)
    }
    const accounts = Array.from(db.getKeys({ start: epochPrefix, end: behind(epochPrefix) }), accountOfEpoch)
    for (let at = 0; at < accounts.length; at += EPOCHS_PER_TRANSACTION)
      put(
        accounts.slice(at, at + EPOCHS_PER_TRANSACTION).map(account => {
          const key = epochKey(account)
          return [key, sealValue(Buffer.from(newEpoch()), keySum(key))]
        })
      )
    return accounts.length
  } finally {
    await db.close()
  }
}
