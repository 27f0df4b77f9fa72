import { nextTurn, type Clock } from './ports.ts'
import type { RecordKey, Store } from './store.ts'

const LOG_BYTES = 262_144
/** Each may be a snapshot of some megabytes. */
const PAGE_RECORDS = 16

/** What a change takes beside its body: its origin, its time, its answer. */
export const CHANGE_BYTES = 96

/** Counts what an account takes in the store: the bytes of its log from `floor` to `head`, and of its records. Others have their turns in between. */
export async function countBytes(store: Store, clock: Clock, id: string, floor: number, head: number): Promise<number> {
  let bytes = 0
  for (let cursor = floor - 1; cursor < head;) {
    for (const { first, count, run } of await store.read(id, cursor, LOG_BYTES)) {
      bytes += run.length
      cursor = first + count - 1
    }
    await nextTurn(clock)
  }
  let after: RecordKey | undefined
  for (;;) {
    const page = store.range([id], after, PAGE_RECORDS)
    for (const [, value] of page) bytes += value.length
    if (page.length < PAGE_RECORDS) return bytes
    after = page.at(-1)![0]
    await nextTurn(clock)
  }
}
