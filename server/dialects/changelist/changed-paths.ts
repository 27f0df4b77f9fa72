import { folderOf } from '../../../protocol/index.ts'
import { changesOf, type Change } from '../../core/change.ts'
import { mustBeLetIn, type Bearer } from '../../core/policy.ts'
import { nextTurn, type Clock } from '../../core/ports.ts'
import { StoreTrimmed, type Store } from '../../core/store.ts'

/** How far back from the log's end the first look is, and the last. */
const LOOKS = { first: 64, most: 16_384 } as const
const READ_BYTES = 65_536
/** What is read of the log at most: long notes may stand in it, too. */
const MAX_READ_BYTES = 16_777_216

/** Where something may have changed: every record of which something did is here. */
export interface ChangedPaths {
  readonly files: readonly string[]
  readonly folders: readonly string[]
}

/**
 * The paths of the files and folders of which the log tells something after a time. It costs what was changed since, however many files there are.
 *
 * @throws HubError when the bearer is let in no more
 * @returns undefined when the log does not reach back so far, or holds so much since that the records are sooner looked through
 */
export async function changedPaths(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  bearer: Bearer,
  sinceUs: number
): Promise<ChangedPaths | undefined> {
  const { account } = bearer
  const { id, head } = account
  // Of the log only what is durable can be read.
  await account.settled()
  const files = new Set<string>()
  try {
    let cursor = await cursorAt(store, id, head, account.floor, sinceUs)
    if (cursor === undefined) return undefined
    let bytes = 0
    while (cursor < head) {
      for (const run of await store.read(id, cursor, READ_BYTES)) {
        bytes += run.run.length
        for (const { change } of changesOf(run)) {
          if (change.cursor <= cursor) continue
          cursor = change.cursor
          if (change.timeUs > sinceUs) for (const path of pathsOf(change)) files.add(path)
        }
      }
      if (bytes > MAX_READ_BYTES) return undefined
      await nextTurn(clock)
      mustBeLetIn(bearer)
    }
  } catch (error) {
    if (error instanceof StoreTrimmed) return undefined
    throw error
  }
  const folders = new Set<string>()
  for (const path of files)
    for (let folder = folderOf(path); folder !== '' && !folders.has(folder); folder = folderOf(folder)) folders.add(folder)
  return { files: [...files].sort(), folders: [...folders].sort() }
}

/** When a change was made that the log holds. @throws StoreTrimmed when it does not any more */
export async function timeUsOf(store: Store, account: string, cursor: number): Promise<number> {
  const [run] = await store.read(account, cursor - 1, 1)
  for (const { change } of run === undefined ? [] : changesOf(run)) if (change.cursor === cursor) return change.timeUs
  return Infinity
}

/** A cursor behind which every change is that was made after a time, and not many more; undefined when they are too many. @throws StoreTrimmed */
async function cursorAt(
  store: Store,
  account: string,
  head: number,
  floor: number,
  sinceUs: number
): Promise<number | undefined> {
  for (let count: number = LOOKS.first; count <= LOOKS.most; count *= 4) {
    const cursor = head - count
    if (cursor < floor) return floor - 1
    if ((await timeUsOf(store, account, cursor)) <= sinceUs) return cursor
  }
  return undefined
}

/** The files that a change touches. A conflict that comes touches none. */
function pathsOf(change: Change): readonly string[] {
  switch (change.kind) {
    case 'file.put':
    case 'file.remove':
    case 'file.restore':
      return [change.key]
    case 'file.move':
      return [change.key, (change as Change<'file.move'>).body.to]
    case 'conflict.resolve': {
      const { path, file } = (change as Change<'conflict.resolve'>).body
      return file === undefined ? [path] : [path, file.path]
    }
    default:
      return []
  }
}
