import { nextTurn, type Clock } from './ports.ts'
import { recordPages, type Store } from './store.ts'

const LOG_BYTES = 262_144
/** Each may be a snapshot of some megabytes. */
const PAGE_RECORDS = 16

/** Bytes of a change beside its body: its origin, its time, its answer. */
export const CHANGE_BYTES = 96

/** Counts what an account takes in the store: the bytes of its log from `floor` to `head`, and of its records. Others are served in between. */
export async function countBytes(store: Store, clock: Clock, id: string, floor: number, head: number): Promise<number> {
  let bytes = 0
  for (let cursor = floor - 1; cursor < head;) {
    for (const { first, count, run } of await store.read(id, cursor, LOG_BYTES)) {
      bytes += run.length
      cursor = first + count - 1
    }
    await nextTurn(clock)
  }
  for (const page of recordPages(store, [id], PAGE_RECORDS)) {
    for (const [, value] of page) bytes += value.length
    await nextTurn(clock)
  }
  return bytes
}
