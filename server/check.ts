import { join } from 'node:path'
import { decodeValue } from '../protocol/index.ts'
import type { AccountEntry } from './auth/accounts.ts'
import { checkAccount } from './core/check-account.ts'
import { StoreDamage } from './core/store.ts'
import { checkBlobs } from './storage/check-blobs.ts'
import { openForReading, standStill, type Database } from './storage/environment.ts'
import { StoreSnapshot } from './storage/read-only.ts'
import { trialOpen } from './storage/trial-open.ts'
import { walkStore } from './storage/walk.ts'

/** The parts of a data folder. */
export const STORE = 'store'
export const FILES = 'files'

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

/** A check may take long, and what it holds on to makes the store grow: so it looks again after this long. */
const SNAPSHOT_MS = 1_000
/** Reading from end to end takes as long as it takes. */
const TRIAL_MS = 24 * 3_600_000

/**
 * Checks a data folder or a backup: every checksum, every record against the log that it is folded from, every file against its SHA-256.
 *
 * It changes nothing, and runs beside a hub too: it reads the store as it stood at one moment, in this process, so that neither the hub's time nor its life
 * depends on what is found.
 *
 * @param storeName the store's file name in the folder
 * @throws RangeError when there is no store
 */
export async function checkFolder(folder: string, storeName = STORE): Promise<CheckReport> {
  const report: CheckReport = { findings: [], accounts: 0, changes: 0, entries: 0, files: 0, fileBytes: 0 }
  const find = (account: string, what: string): void => void report.findings.push({ account, what })
  const path = join(folder, storeName)
  try {
    if ((await trialOpen(path, TRIAL_MS)) === undefined) throw new RangeError(`there is no store in ${folder}`)
    const db = openForReading(path)
    try {
      await checkStore(db, report, find)
    } finally {
      await db.close()
    }
  } catch (error) {
    if (!(error instanceof StoreDamage)) throw error
    find('', error.message)
  }
  const { files, bytes } = await checkBlobs(join(folder, FILES), what => find('', what))
  return Object.assign(report, { files, fileBytes: bytes })
}

async function checkStore(db: Database, report: CheckReport, find: (account: string, what: string) => void): Promise<void> {
  const now = standStill(db)
  const damages: [account: string, what: string][] = []
  const walk = walkStore(now, (account, what) => damages.push([account, what]))
  now.done()
  report.entries = walk.entries
  report.accounts = walk.accounts.size
  let snapshot: StoreSnapshot | undefined
  let takenAtMs = 0
  try {
    snapshot = new StoreSnapshot(db)
    takenAtMs = performance.now()
    const names = namesOf(snapshot, what => find('', what))
    const nameOf = (id: string): string => (id === '' ? '' : `${names.get(id) ?? '?'} (${id})`)
    for (const [account, what] of damages.splice(0)) find(nameOf(account), what)
    for (const account of new Set([...names.keys(), ...walk.accounts])) {
      if (!names.has(account)) find(nameOf(account), 'there are entries of this id, and no such account')
      if (performance.now() - takenAtMs > SNAPSHOT_MS) {
        snapshot.done()
        snapshot = new StoreSnapshot(db)
        takenAtMs = performance.now()
      }
      report.changes += await checkAccount(snapshot, account, what => find(nameOf(account), what))
    }
  } finally {
    snapshot?.done()
    for (const [account, what] of damages) find(account, what)
  }
}

/** Who has an account, by its id. */
function namesOf(snapshot: StoreSnapshot, find: (what: string) => void): Map<string, string> {
  try {
    return new Map(
      snapshot.range(['', 'accounts'], undefined, Infinity).map(([, bytes]) => {
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
