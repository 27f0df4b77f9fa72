import type { RecordKey, RecordWrite } from '../core/store.ts'
import { named } from './damage.ts'
import type { Reading } from './environment.ts'
import { behind, next, recordKey, recordParts } from './keys.ts'
import { keySum, openValue, sealValue } from './layout.ts'
import type { Put } from './logs.ts'

/**
 * The value of a record; undefined when there is none.
 * @throws StoreDamage
 */
export function getRecord(db: Reading, key: RecordKey): Uint8Array | undefined {
  const stored = recordKey(key)
  const name = `the record ${key.join('/')}`
  const record = named(name, () => db.getBinary(stored))
  return record && openValue(record, keySum(stored), name)
}

/**
 * Records whose key begins with `prefix` and sorts after `after`, in key order.
 * @throws StoreDamage
 */
export function rangeRecords(
  db: Reading,
  prefix: RecordKey,
  after: RecordKey | undefined,
  limit: number
): [key: RecordKey, value: Uint8Array][] {
  const first = recordKey(prefix)
  const start = after === undefined ? first : next(recordKey(after))
  const bounds = { start: Buffer.compare(start, first) < 0 ? first : start, end: behind(first), limit }
  return named(`the records under ${prefix.join('/')}`, () => {
    const found: [RecordKey, Uint8Array][] = []
    for (const { key, value } of db.getRange(bounds)) {
      const parts = recordParts(key)
      found.push([parts, openValue(value, keySum(key), `the record ${parts.join('/')}`)])
    }
    return found
  })
}

/** The keys of records that begin with `prefix`, in order. */
export function keysOfRecords(db: Reading, prefix: RecordKey, limit: number): RecordKey[] {
  const start = recordKey(prefix)
  const bounds = { start, end: behind(start), limit }
  return named(`the records under ${prefix.join('/')}`, () => Array.from(db.getKeys(bounds), recordParts))
}

export function sealRecord({ key, value }: RecordWrite): Put {
  const stored = recordKey(key)
  return [stored, value && sealValue(value, keySum(stored))]
}
