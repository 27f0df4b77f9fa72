import {
  hasUnsent,
  IndexedDbStorage,
  MemoryStorage,
  StorageTakenError,
  type ClientStorage,
  type SignedIn
} from '../../../client/index.ts'

/** What a browser keeps of its sign-in between visits. */
export type Kept = Pick<SignedIn, 'device' | 'token'>

const KEY = 'lectern'
/** Windows of one browser that keep what they hold; those beyond hold it until they are closed. */
const MAX_KEEPING_WINDOWS = 8

/** Undefined also where a browser keeps nothing for pages, as with cookies blocked, and where something else was kept. */
export function kept(): Kept | undefined {
  try {
    const { device, token } = (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as Partial<Kept>
    return typeof device === 'string' && typeof token === 'string' ? { device, token } : undefined
  } catch (error) {
    console.warn(error)
    return undefined
  }
}

/** False when the browser does not keep it: it lasts until the window is closed. */
export function keep({ device, token }: Kept): boolean {
  try {
    localStorage.setItem(KEY, JSON.stringify({ device, token }))
    return true
  } catch (error) {
    console.warn(error)
    return false
  }
}

/** Removes what was kept of a sign-in, and what was read with it; not the token of one that another window has begun since. */
export function forget({ device }: Kept): void {
  try {
    if (kept()?.device === device) localStorage.removeItem(KEY)
    for (const name of storageNames(device)) indexedDB.deleteDatabase(name)
  } catch (error) {
    // A browser that keeps nothing has nothing to remove.
    console.warn(error)
  }
}

/** The first storage that no other window has: each window is an outbox of its own. */
export async function openStorage({ device }: Kept): Promise<ClientStorage> {
  // Without them, as on a page without TLS, windows would not notice that they share a storage.
  if (navigator.locks === undefined) return new MemoryStorage()
  for (const name of storageNames(device)) {
    try {
      return await IndexedDbStorage.open(name)
    } catch (error) {
      if (error instanceof StorageTakenError) continue
      console.warn(error)
      break
    }
  }
  return new MemoryStorage()
}

/** The storages of windows that were closed before the hub had all that was asked for in them, one after the other: whoever takes one closes it. */
export async function* unsentStorages({ device }: Kept): AsyncGenerator<ClientStorage> {
  if (navigator.locks === undefined) return
  const names = await databaseNames()
  for (const name of storageNames(device)) {
    const storage = names.has(name) ? await openUnsent(name) : undefined
    if (storage !== undefined) yield storage
  }
}

async function databaseNames(): Promise<Set<string | undefined>> {
  try {
    return new Set((await indexedDB.databases()).map(({ name }) => name))
  } catch (error) {
    // A browser that keeps nothing has none.
    console.warn(error)
    return new Set()
  }
}

/** Undefined where a window has it, where all was sent, and where it cannot be read. */
async function openUnsent(name: string): Promise<ClientStorage | undefined> {
  let storage: ClientStorage | undefined
  try {
    storage = await IndexedDbStorage.open(name)
    if (await hasUnsent(storage)) return storage
  } catch (error) {
    if (!(error instanceof StorageTakenError)) console.warn(error)
  }
  await storage?.close()
  return undefined
}

const storageNames = (device: string): string[] =>
  Array.from({ length: MAX_KEEPING_WINDOWS }, (_, index) => `lectern ${device} ${index + 1}`)
