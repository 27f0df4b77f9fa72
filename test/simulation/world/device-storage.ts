import type { ClientStorage, StorageChange } from '../../../client/storage.ts'
import type { Random } from '../../util/random.ts'
import { Life, type Loop } from './loop.ts'

/** What an app keeps on its device: writes are whole and in order, and a crash leaves the first of those that were under way. */
export class DeviceDisk {
  entries: ReadonlyMap<string, Uint8Array> = new Map()
  /** The longest that a write takes. */
  writeMs = 20
  /** How often a write fails, as on a full disk. */
  failures = 0
  readonly #loop: Loop
  readonly #random: Random
  readonly #onKept: (changes: readonly StorageChange[]) => void
  #underWay: (readonly StorageChange[])[] = []
  #onNextWrite: (() => void) | undefined

  constructor(loop: Loop, random: Random, onKept: (changes: readonly StorageChange[]) => void) {
    this.#loop = loop
    this.#random = random
    this.#onKept = onKept
  }

  /** As one process has it open. */
  open(life: Life): ClientStorage {
    const done = (): Promise<void> =>
      new Promise(resolve => this.#loop.after(this.#random.next() ** 2 * this.writeMs, life, resolve))
    return {
      load: async prefix => {
        await done()
        return [...this.entries].filter(([key]) => key.startsWith(prefix)).sort(([left], [right]) => (left < right ? -1 : 1))
      },
      write: changes => {
        if (life.isOver) return new Promise(() => {})
        if (this.failures > 0 && this.#random.chance(this.failures))
          return done().then(() => Promise.reject(new Error('the device is full')))
        const own = [...changes]
        this.#underWay.push(own)
        this.#onNextWrite?.()
        this.#onNextWrite = undefined
        return done().then(() => {
          while (this.#underWay.includes(own)) this.#keep(this.#underWay.shift()!)
        })
      },
      close: done
    }
  }

  /** Calls `task` some time in the next write. */
  inNextWrite(task: () => void): void {
    this.#onNextWrite = () => this.#loop.after((this.#random.next() * this.writeMs) / 4, new Life(), task)
  }

  crash(): void {
    const kept = this.#random.below(this.#underWay.length + 1)
    for (const changes of this.#underWay.splice(0).slice(0, kept)) this.#keep(changes)
  }

  #keep(changes: readonly StorageChange[]): void {
    const entries = new Map(this.entries)
    for (const [key, bytes] of changes) {
      if (bytes === undefined) entries.delete(key)
      else entries.set(key, bytes)
    }
    this.entries = entries
    this.#onKept(changes)
  }
}
