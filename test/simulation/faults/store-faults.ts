import { decodeValue, encodeValue, type Plain } from '../../../protocol/index.ts'
import type { RecordWrite, Store } from '../../../server/core/store.ts'
import { over, type Fault } from './fault.ts'

/** The table that a record is of. @see Tables */
const tableOf = ({ key }: RecordWrite): string => key[1]!

const lying = (name: string, breaks: Fault['breaks'], own: (store: Store) => Partial<Store>): Fault => ({
  name,
  breaks,
  plant: () => ({ ports: { store: store => over(store, own(store)) } })
})

/** What a store may do wrong. */
export const STORE_FAULTS: readonly Fault[] = [
  lying('it acks before the flush', 'durable', store => ({
    commit(batch) {
      void store.commit(batch)
      return Promise.resolve()
    }
  })),
  lying('it stores the records of a commit before its changes', 'durable', store => ({
    commit({ appends, writes }) {
      if (writes.length > 0) void store.commit({ appends: [], writes })
      return store.commit({ appends, writes: [] })
    }
  })),
  lying('it loses the counters of clients', 'exactly once', store => ({
    commit: ({ appends, writes }) => store.commit({ appends, writes: writes.filter(write => tableOf(write) !== 'clients') })
  })),
  lying('it forgets the time of its last change', 'one order', store => ({
    commit: ({ appends, writes }) => store.commit({ appends, writes: writes.map(timeless) })
  })),
  lying('it lets go of changes that nothing else holds', 'sound', store => ({
    trim: (account, floor) => store.trim(account, floor + 20)
  })),
  lying('it stores one record of a book less', 'convergence', store => ({
    commit: ({ appends, writes }) => store.commit({ appends, writes: writes.filter(write => tableOf(write) !== 'books') })
  }))
]

function timeless(write: RecordWrite): RecordWrite {
  if (tableOf(write) !== 'fold' || write.value === undefined) return write
  return { ...write, value: encodeValue({ ...(decodeValue(write.value) as { [name: string]: Plain }), timeUs: 0 }) }
}
