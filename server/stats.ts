import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plain } from '../protocol/index.ts'
import { systemClock } from './clock.ts'
import { nextTurn } from './core/ports.ts'
import { Views } from './core/views.ts'
import { FILES } from './data-folder.ts'
import type { OperatorParts } from './operations.ts'
import { listBlobs } from './storage/check-blobs.ts'
import { freeBytes } from './storage/free-space.ts'
import type { LmdbStore, StoreFigures } from './storage/lmdb.ts'

/** What the data folder takes on disk. */
export interface FolderFigures extends StoreFigures {
  readonly files: number
  readonly fileBytes: number
  readonly freeBytes: number
}

/** Looks at each file, so not for every second. */
export async function figuresOf(store: LmdbStore, dataFolder: string): Promise<FolderFigures> {
  let files = 0
  let fileBytes = 0
  const folder = join(dataFolder, FILES)
  for await (const { path } of listBlobs(folder)) {
    files++
    fileBytes += (await stat(join(folder, path))).size
  }
  return { ...store.figures, files, fileBytes, freeBytes: await freeBytes(dataFolder) }
}

/** What the hub holds just now: all together, on disk, its flushes in this life, and account by account. */
export async function hubStats({ hub, store, directory, figures }: OperatorParts): Promise<{ [part: string]: Plain }> {
  const accounts: { account: string; devices: number; changes: number; head: number; floor: number }[] = []
  for (const { id, name } of directory.list()) {
    const { head, floor } = (await store.head(id)) ?? { head: 0, floor: 1 }
    const stored = new Views(store, id)
    // Records follow their log now and then; those in memory always have.
    const views = (stored.get('fold')?.foldedTo ?? 0) === head ? stored : (await hub.account(id))!.views
    const devices = views.range('devices', [], '', Infinity).length
    accounts.push({ account: name, devices, changes: head - floor + 1, head, floor })
    // Accounts may be many, and others wait.
    await nextTurn(systemClock)
  }
  const sum = (part: 'devices' | 'changes'): number => accounts.reduce((total, account) => total + account[part], 0)
  const { flushes, ...disk } = await figures()
  const round = (ms: number): number => Math.round(ms * 100) / 100
  return {
    hub: {
      accounts: accounts.length,
      devices: sum('devices'),
      changes: sum('changes'),
      sessions: hub.sessionCount,
      takesChanges: !hub.isReadOnly
    },
    disk,
    flushes: {
      flushes: flushes.count,
      medianMs: round(flushes.medianMs),
      p99Ms: round(flushes.p99Ms),
      mostMs: round(flushes.mostMs)
    },
    accounts
  }
}
