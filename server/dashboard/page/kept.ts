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

/** The storages of windows that were closed before the hub had all that was asked for in them. */
export async function unsentStorages({ device }: Kept): Promise<ClientStorage[]> {
  if (navigator.locks === undefined) return []
  const names = new Set((await indexedDB.databases()).map(({ name }) => name))
  const found: ClientStorage[] = []
  for (const name of storageNames(device)) {
    if (!names.has(name)) continue
    try {
      const storage = await IndexedDbStorage.open(name)
      if (await hasUnsent(storage)) found.push(storage)
      else await storage.close()
    } catch (error) {
      if (!(error instanceof StorageTakenError)) throw error
    }
  }
  return found
}

const storageNames = (device: string): string[] =>
  Array.from({ length: MAX_KEEPING_WINDOWS }, (_, index) => `lectern ${device} ${index + 1}`)
