import { IndexedDbStorage, MemoryStorage, StorageTakenError, type ClientStorage, type SignedIn } from '../../../client/index.ts'

/** What a browser keeps of its sign-in between visits. */
export type Kept = Pick<SignedIn, 'device' | 'token'>

const KEY = 'lectern'
/** Windows of one browser that keep what they hold; those beyond hold it until they are closed. */
const MAX_KEEPING_WINDOWS = 8

export function kept(): Kept | undefined {
  const text = localStorage.getItem(KEY)
  return text === null ? undefined : (JSON.parse(text) as Kept)
}

export const keep = ({ device, token }: Kept): void => localStorage.setItem(KEY, JSON.stringify({ device, token }))

/** Removes what was kept of a sign-in, and what was read with it; not the token of one that another window has begun since. */
export function forget({ device }: Kept): void {
  if (kept()?.device === device) localStorage.removeItem(KEY)
  for (let window = 1; window <= MAX_KEEPING_WINDOWS; window++) indexedDB.deleteDatabase(storageName(device, window))
}

/** The first storage that no other window has: each window is an outbox of its own. */
export async function openStorage({ device }: Kept): Promise<ClientStorage> {
  // Without them, as on a page without TLS, windows would not notice that they share a storage.
  if (navigator.locks === undefined) return new MemoryStorage()
  for (let window = 1; window <= MAX_KEEPING_WINDOWS; window++) {
    try {
      return await IndexedDbStorage.open(storageName(device, window))
    } catch (error) {
      if (!(error instanceof StorageTakenError)) break
    }
  }
  return new MemoryStorage()
}

const storageName = (device: string, window: number): string => `lectern ${device} ${window}`
