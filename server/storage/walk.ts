import { StoreDamage } from '../core/store.ts'
import { named } from './damage.ts'
import type { Reading } from './environment.ts'
import { openJournal } from './journal.ts'
import { journalNumber, recordParts, runPlace } from './keys.ts'
import { keySum, openRun, openValue } from './layout.ts'

/** What a walk over every entry of a store has met. */
export interface Walk {
  /** Accounts that have anything. */
  readonly accounts: Set<string>
  /** Keys and values, by what they are. */
  readonly bytes: { segments: number; journal: number; records: number; other: number }
  readonly entries: number
}

/** What is wrong, and with which account's; empty when it is nobody's. */
export type ReportDamage = (account: string, what: string) => void

/**
 * Reads every entry of a store: each has its checksum, each segment begins where the one before it ends, and no journal record is missing.
 * What is damaged is reported, and the walk goes on behind it.
 *
 * @throws StoreDamage when LMDB itself cannot go on
 */
export function walkStore(db: Reading, report: ReportDamage): Walk {
  const bytes = { segments: 0, journal: 0, records: 0, other: 0 }
  const accounts = new Set<string>()
  const epochs = new Set<string>()
  /** Where each log's segments end. */
  const ends = new Map<string, number>()
  const floors = new Map<string, number>()
  const journaled = new Set<string>()
  let entries = 0
  let nextJournal: number | undefined

  const segment = (key: Buffer, value: Buffer): void => {
    const { prefix, cursor } = runPlace(key)
    const account = accountOf(prefix)
    const name = `the segment of the log at ${cursor}`
    const end = ends.get(account)
    const floor = floors.get(account) ?? 1
    if (end === undefined && cursor !== floor) report(account, `the log begins at ${cursor}, and its floor is ${floor}`)
    if (end !== undefined && end < cursor - 1) report(account, `the log lacks the changes from ${end + 1} to ${cursor - 1}`)
    // Should the segment be damaged, the next one cannot be missed.
    ends.set(account, NaN)
    const { first, count } = openRun(value, keySum(prefix), name)
    if (first !== cursor) throw new StoreDamage(`${name} is the one of ${first}`)
    ends.set(account, first + count - 1)
  }

  const journal = (key: Buffer, value: Buffer): void => {
    const number = journalNumber(key)
    if (nextJournal !== undefined && number !== nextJournal) report('', `the journal lacks the record ${nextJournal}`)
    nextJournal = number + 1
    for (const { account } of openJournal(number, value).runs) journaled.add(account)
  }

  const visit = (key: Buffer, value: Buffer): void => {
    entries++
    const size = key.length + value.length
    const kind = String.fromCharCode(key[0] ?? 0)
    bytes[kind === 'l' ? 'segments' : kind === 'j' ? 'journal' : kind === 'r' ? 'records' : 'other'] += size
    const account = kind === 'j' ? '' : accountOf(key)
    if (account !== '') accounts.add(account)
    try {
      if (kind === 'l') segment(key, value)
      else if (kind === 'j') journal(key, value)
      else if (kind === 'r') openValue(value, keySum(key), `the record ${recordParts(key).slice(1).join('/')}`)
      else if (kind === 'e') {
        epochs.add(account)
        openValue(value, keySum(key), 'the epoch')
      } else if (kind === 'f') {
        const floor = openValue(value, keySum(key), 'the floor')
        floors.set(account, Number(Buffer.from(floor).readBigUInt64LE()))
      } else throw new StoreDamage(`there is an entry of the unknown kind ${JSON.stringify(kind)}`)
    } catch (error) {
      if (!(error instanceof StoreDamage)) throw error
      report(account, error.message)
    }
  }

  named('the store', () => {
    for (const { key, value } of db.getRange({})) visit(key, value)
  })
  for (const account of journaled) accounts.add(account)
  for (const account of epochs) if (!ends.has(account)) report(account, 'there is an epoch, and no log')
  for (const account of ends.keys()) if (!epochs.has(account)) report(account, 'the epoch is missing')
  return { accounts, bytes, entries }
}

/** What stands between the first byte of a key and the first zero. */
function accountOf(key: Buffer): string {
  const end = key.indexOf(0)
  return key.toString('utf8', 1, end === -1 ? key.length : end)
}
