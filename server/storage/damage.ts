import { StoreDamage } from '../core/store.ts'

/** MDB_PAGE_NOTFOUND, _CORRUPTED, _VERSION_MISMATCH, _INVALID, and _BAD_TXN, which the other reads of the same turn then get (lmdb.h). */
const DAMAGE_CODES = new Set<unknown>([-30797, -30796, -30794, -30793, -30782])

export const isDamage = (code: unknown): boolean => DAMAGE_CODES.has(code)

/** @throws StoreDamage in place of the errors with which LMDB refuses a damaged page */
export function named<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!isDamage((error as { code?: unknown }).code)) throw error
    throw new StoreDamage(`${name} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
