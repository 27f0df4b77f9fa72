import { join } from 'node:path'
import { decodeValue } from '../protocol/index.ts'
import type { AccountEntry } from './auth/accounts.ts'
import { checkAccount } from './core/check-account.ts'
import type { ContentRecord, Table } from './core/records.ts'
import { StoreDamage } from './core/store.ts'
import { FILES, STORE } from './data-folder.ts'
import { TimeLimitHousehold } from './dialects/timelimit/household.ts'
import { onStandingStore } from './on-standing-store.ts'
import { checkBlobs } from './storage/check-blobs.ts'
import { openForReading, type Database } from './storage/environment.ts'
import { StandingStore } from './storage/standing-store.ts'
import { trialOpen } from './storage/trial-open.ts'
import { walkStore } from './storage/walk.ts'

/** Something in a data folder that is not as it should be. */
export interface Finding {
  /** Name and id; empty when it is nobody's. */
  readonly account: string
  readonly what: string
}

/** What a check has read, and found. */
export interface CheckReport {
  readonly findings: Finding[]
  accounts: number
  changes: number
  entries: number
  files: number
  fileBytes: number
}

/** What folds the logs of families. */
const household = new TimeLimitHousehold()
/** Reading from end to end takes as long as it takes. */
const TRIAL_MS = 24 * 3_600_000

/**
 * Checks a data folder or a backup: every checksum, every record against the log that it is folded from, every file against its SHA-256, and that
 * each content that an account holds has its file.
 *
 * It changes nothing. Beside a hub it reads a copy that the hub makes, in this process, so that neither the hub's time nor its life depends on what is found;
 * without one it keeps others from opening the store meanwhile.
 *
 * @param storeName the store's file name in the folder
 * @throws RangeError when there is no store
 */
export async function checkFolder(folder: string, storeName = STORE): Promise<CheckReport> {
  const report: CheckReport = { findings: [], accounts: 0, changes: 0, entries: 0, files: 0, fileBytes: 0 }
  const find = (account: string, what: string): void => void report.findings.push({ account, what })
  const held: Held[] = []
  try {
    await onStandingStore(folder, storeName, async path => {
      await trialOpen(path, TRIAL_MS)
      const db = openForReading(path)
      try {
        await checkStore(db, report, find, held)
      } finally {
        await db.close()
      }
    })
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error
    // What ended the reading was found on the way, as a rule.
    if (!report.findings.some(({ what }) => what === error.message)) find('', error.message)
  }
  const { sizes, bytes } = await checkBlobs(join(folder, FILES), what => find('', what))
  for (const { account, sha256, sizeBytes } of held) {
    const size = sizes.get(sha256)
    if (size === undefined) find(account, `the content ${sha256} has no file`)
    else if (size !== sizeBytes) find(account, `the content ${sha256} is to have ${sizeBytes} bytes, and its file has ${size}`)
  }
  return Object.assign(report, { files: sizes.size, fileBytes: bytes })
}

/** Bytes that an account counts on. */
interface Held {
  readonly account: string
  readonly sha256: string
  readonly sizeBytes: number
}

/** @param held takes what the accounts hold */
async function checkStore(
  db: Database,
  report: CheckReport,
  find: (account: string, what: string) => void,
  held: Held[]
): Promise<void> {
  const damages: [account: string, what: string][] = []
  const walk = walkStore(db, (account, what) => damages.push([account, what]))
  report.entries = walk.entries
  try {
    const store = new StandingStore(db)
    const names = namesOf(store, what => find('', what))
    const nameOf = (id: string): string => (id === '' ? '' : `${names.get(id) ?? '?'} (${id})`)
    for (const [account, what] of damages.splice(0)) find(nameOf(account), what)
    const accounts = new Set([...names.keys(), ...walk.accounts])
    report.accounts = accounts.size
    for (const account of accounts) {
      if (!names.has(account)) find(nameOf(account), 'there are entries of this id, and no such account')
      report.changes += await checkAccount(store, account, what => find(nameOf(account), what), household)
      for (const content of contentsOf(store, account)) held.push({ account: nameOf(account), ...content })
    }
  } finally {
    for (const [account, what] of damages) find(account, what)
  }
}

/** What an account holds; nothing where that cannot be read, which is reported already. */
function contentsOf(store: StandingStore, account: string): Omit<Held, 'account'>[] {
  try {
    return store.range([account, 'contents' satisfies Table], undefined, Infinity).map(([key, bytes]) => {
      const { sizeBytes } = decodeValue(bytes) as unknown as ContentRecord
      return { sha256: key.at(-1)!, sizeBytes }
    })
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error
    return []
  }
}

/** Who has an account, by its id. */
function namesOf(store: StandingStore, find: (what: string) => void): Map<string, string> {
  try {
    return new Map(
      store.range(['', 'accounts'], undefined, Infinity).map(([, bytes]) => {
        const { id, name } = decodeValue(bytes) as unknown as AccountEntry
        return [id, name]
      })
    )
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error
    find(error.message)
    return new Map()
  }
}
