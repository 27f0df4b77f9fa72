import type { Account } from '../../core/account.ts'
import { restoredAtMs } from '../../core/ids.ts'
import { StoreTrimmed, type Store } from '../../core/store.ts'
import { timeUsOf } from './changed-paths.ts'

/**
 * Whether who knows an account as it was at a time may know what was lost when it came out of a backup: at a time between the newest change of the backup and then. What
 * such a one has too much, or lacks, no later change tells.
 */
export async function mayKnowLost(store: Store, account: Account, knownUs: number): Promise<boolean> {
  const restoredAt = restoredAtMs(account.epoch)
  if (restoredAt === undefined || knownUs > restoredAt * 1_000) return false
  // Of the log only what is durable can be read.
  await account.settled()
  try {
    let [newest, last] = [account.floor - 1, account.head]
    while (newest < last) {
      const middle = Math.ceil((newest + last) / 2)
      if ((await timeUsOf(store, account.id, middle)) <= restoredAt * 1_000) newest = middle
      else last = middle - 1
    }
    return knownUs > (newest < account.floor ? 0 : await timeUsOf(store, account.id, newest))
  } catch (error) {
    if (error instanceof StoreTrimmed) return true
    throw error
  }
}
