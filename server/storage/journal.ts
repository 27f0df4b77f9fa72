import { StoreDamage, type Append, type StoredRun } from '../core/store.ts'
import { journalKey } from './keys.ts'
import { check, CHECKSUM_BYTES, finish, keySum, reserve, VERSION_BYTES } from './layout.ts'

/** `accountBytes:u16 epochBytes:u32 first:u64 count:u32 runBytes:u32 notesBytes:u32` */
const HEAD_BYTES = 2 + 4 + 8 + 4 + 4 + 4

/** All appends of one commit, as one record under a rising number. */
export interface JournalRecord {
  readonly number: number
  readonly bytes: Buffer
  /** How many of its runs are in no segment yet. */
  live: number
}

/** A run that is only in the journal: where its bytes stand in there. */
export interface JournaledRun {
  readonly record: JournalRecord
  readonly account: string
  /** Of the run that makes the log only; else empty. */
  readonly epoch: string
  readonly first: number
  readonly count: number
  readonly runAt: number
  readonly notesAt: number
  readonly notesEnd: number
}

export const lastOf = ({ first, count }: JournaledRun): number => first + count - 1

/** The run itself: views of the record, which nobody writes again. */
export const storedRun = ({ record, first, count, runAt, notesAt, notesEnd }: JournaledRun): StoredRun => ({
  first,
  count,
  run: record.bytes.subarray(runAt, notesAt),
  notes: record.bytes.subarray(notesAt, notesEnd)
})

/** `version *(accountBytes epochBytes first count runBytes notesBytes account epoch run notes) checksum`: the only copy made of the runs. */
export function sealJournal(number: number, appends: readonly Append[]): { record: JournalRecord; runs: JournaledRun[] } {
  let sizeBytes = VERSION_BYTES + CHECKSUM_BYTES
  for (const { account, epoch, after, runs } of appends) {
    const accountBytes = Buffer.byteLength(account)
    for (const { run, notes } of runs) sizeBytes += HEAD_BYTES + accountBytes + run.length + notes.length
    if (after === 0) sizeBytes += Buffer.byteLength(epoch)
  }
  const bytes = reserve(sizeBytes, true)
  const record: JournalRecord = { number, bytes, live: 0 }
  const placed: JournaledRun[] = []
  let at = VERSION_BYTES
  for (const { account, epoch, after, runs } of appends)
    for (const { first, count, run, notes } of runs) {
      const born = after === 0 && first === 1 ? epoch : ''
      const accountBytes = bytes.write(account, at + HEAD_BYTES)
      const epochBytes = born === '' ? 0 : bytes.write(born, at + HEAD_BYTES + accountBytes)
      bytes.writeUInt16LE(accountBytes, at)
      bytes.writeUInt32LE(epochBytes, at + 2)
      bytes.writeUInt32LE(first % 2 ** 32, at + 6)
      bytes.writeUInt32LE(Math.floor(first / 2 ** 32), at + 10)
      bytes.writeUInt32LE(count, at + 14)
      bytes.writeUInt32LE(run.length, at + 18)
      bytes.writeUInt32LE(notes.length, at + 22)
      const runAt = at + HEAD_BYTES + accountBytes + epochBytes
      const notesAt = runAt + run.length
      at = notesAt + notes.length
      bytes.set(run, runAt)
      bytes.set(notes, notesAt)
      placed.push({ record, account, epoch: born, first, count, runAt, notesAt, notesEnd: at })
    }
  record.live = placed.length
  finish(bytes, keySum(journalKey(number)))
  return { record, runs: placed }
}

/**
 * The runs of a journal record, none of which counts as live yet.
 *
 * @throws StoreDamage
 */
export function openJournal(number: number, bytes: Buffer): { record: JournalRecord; runs: JournaledRun[] } {
  const name = `the journal record ${number}`
  check(bytes, keySum(journalKey(number)), name)
  const record: JournalRecord = { number, bytes, live: 0 }
  const runs: JournaledRun[] = []
  const end = bytes.length - CHECKSUM_BYTES
  for (let at = VERSION_BYTES; at < end;) {
    if (at + HEAD_BYTES > end) throw new StoreDamage(`${name} is cut short`)
    const epochAt = at + HEAD_BYTES + bytes.readUInt16LE(at)
    const runAt = epochAt + bytes.readUInt32LE(at + 2)
    const notesAt = runAt + bytes.readUInt32LE(at + 18)
    const notesEnd = notesAt + bytes.readUInt32LE(at + 22)
    if (notesEnd > end) throw new StoreDamage(`${name} is cut short`)
    runs.push({
      record,
      account: bytes.toString('utf8', at + HEAD_BYTES, epochAt),
      epoch: bytes.toString('utf8', epochAt, runAt),
      first: bytes.readUInt32LE(at + 6) + bytes.readUInt32LE(at + 10) * 2 ** 32,
      count: bytes.readUInt32LE(at + 14),
      runAt,
      notesAt,
      notesEnd
    })
    at = notesEnd
  }
  return { record, runs }
}

/** Which records the journal holds. Those at its beginning leave it once all their runs are in segments. */
export class Journal {
  /** By number, which rises. */
  readonly #records = new Map<number, JournalRecord>()
  #sizeBytes = 0
  #nextNumber = 1

  get length(): number {
    return this.#records.size
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get nextNumber(): number {
    return this.#nextNumber
  }

  /** @throws StoreDamage when it is not the next one */
  add(record: JournalRecord): void {
    if (this.length > 0 && record.number !== this.#nextNumber)
      throw new StoreDamage(`the journal lacks the record ${this.#nextNumber}`)
    this.#records.set(record.number, record)
    this.#sizeBytes += record.bytes.length
    this.#nextNumber = record.number + 1
  }

  /** The records at the beginning, at most `limit`, that nobody needs any more. */
  spent(limit: number): JournalRecord[] {
    const spent: JournalRecord[] = []
    for (const record of this.#records.values()) {
      if (record.live > 0 || spent.length === limit) break
      spent.push(record)
    }
    return spent
  }

  drop(records: readonly JournalRecord[]): void {
    for (const { number, bytes } of records) if (this.#records.delete(number)) this.#sizeBytes -= bytes.length
  }
}
