import { LmdbStore, type StoreLimits } from '../../../server/storage/lmdb.ts'
import { appendOf, bytes } from '../../contract/store.ts'

/** Sent when a commit has resolved; the first one, 0, when the store is open. */
export type Acked = number

const UNDER_WAY = 8
/** More puts than lmdb-js hands to its writer at once, so that it starts on a transaction that is not yet whole. */
const MANY = 1_500

/**
 * A process that commits pairs for as long as it lives: what is in the logs `left` and `right`, in their records and in `many` is equal
 * behind every commit. Speaks through its IPC channel; run by lmdb.test.ts.
 */
async function writePairs(path: string, limits: Partial<StoreLimits>): Promise<void> {
  const logger = { debug() {}, info() {}, warn() {}, error: (_: object, message: string) => console.error(message) }
  const store = await LmdbStore.open({ path, mapSizeBytes: 2 ** 30, logger, limits })
  const say = (acked: Acked): void => void process.send?.(acked)
  process.once('disconnect', () => process.exit())
  let head = (await store.head('left'))?.head ?? 0
  say(0)
  const next = async (): Promise<void> => {
    for (;;) {
      const after = head++
      const value = bytes(String(head))
      const many = head % 50 === 0 ? Array.from({ length: MANY }, (_, index) => ({ key: ['many', String(index)], value })) : []
      await store.commit({
        appends: [appendOf('left', after), appendOf('right', after)],
        writes: [{ key: ['left'], value }, ...many, { key: ['right'], value }]
      })
      say(after + 1)
    }
  }
  await Promise.all(Array.from({ length: UNDER_WAY }, next))
}

await writePairs(process.argv[2]!, JSON.parse(process.argv[3] ?? '{}') as Partial<StoreLimits>)
