import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { StoreDamage } from '../../../server/core/store.ts'
import { checkHead } from '../../../server/storage/file-head.ts'
import { LmdbStore } from '../../../server/storage/lmdb.ts'
import { trialOpen } from '../../../server/storage/trial-open.ts'
import { appendOf, bytes, joined } from '../../contract/store.ts'
import { Random } from '../../util/random.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { temporaryFolder } from '../../util/folder.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }
const PAGE_BYTES = 4_096
const TRIAL_MS = 20_000

const test = suite('server/storage/trial-open')

const open = (path: string): Promise<LmdbStore> => LmdbStore.open({ path, mapSizeBytes: 2 ** 30, logger })

const KEYS = Array.from({ length: 400 }, (_, index) => String(index))
const valueOf = (key: string): Uint8Array => bytes(key.repeat(Number(key) % 40 === 0 ? 6_000 : 30))
const ACCOUNTS = ['a', 'b', 'c']

/** A store with a tree of some pages, values that take several, segments and a journal; `half` is how it was half-way. */
async function makeStore(path: string): Promise<{ whole: Buffer; half: Buffer }> {
  let store = await open(path)
  let half: Buffer | undefined
  for (let index = 0; index < 40; index++) {
    const appends = ACCOUNTS.map(account => appendOf(account, index * 30, [30]))
    const writes = KEYS.slice(index * 10, index * 10 + 10).map(key => ({ key: [key], value: valueOf(key) }))
    await store.commit({ appends, writes })
    if (index !== 20) continue
    await store.close()
    half = await readFile(path)
    store = await open(path)
  }
  await store.close()
  return { whole: await readFile(path), half: half! }
}

type Damage = (file: Buffer, random: () => number) => Buffer

const pageOf = (file: Buffer, random: () => number): number => Math.floor(random() * (file.length / PAGE_BYTES)) * PAGE_BYTES

/** Each kind of damage, and how often it is tried. */
const DAMAGES: Record<string, [times: number, damage: Damage]> = {
  'a flipped bit': [
    60,
    (file, random) => {
      file[Math.floor(random() * file.length)]! ^= 1 << Math.floor(random() * 8)
      return file
    }
  ],
  'a flipped bit at the beginning': [
    40,
    (file, random) => {
      file[Math.floor(random() * 2) * PAGE_BYTES + Math.floor(random() * 160)]! ^= 1 << Math.floor(random() * 8)
      return file
    }
  ],
  'a page of zeros': [20, (file, random) => file.fill(0, ...rangeAt(pageOf(file, random)))],
  'a page of noise': [
    30,
    (file, random) => {
      const [start, end] = rangeAt(pageOf(file, random))
      for (let at = start; at < end; at++) file[at] = Math.floor(random() * 256)
      return file
    }
  ],
  'two pages in each other’s place': [
    30,
    (file, random) => {
      const [left, right] = [pageOf(file, random), pageOf(file, random)]
      const kept = Buffer.from(file.subarray(...rangeAt(left)))
      file.copy(file, left, right, right + PAGE_BYTES)
      kept.copy(file, right)
      return file
    }
  ],
  'a file that is cut short': [20, (file, random) => file.subarray(0, Math.floor(random() * file.length))],
  'a file of something else': [
    4,
    (file, random) => Buffer.from(file.map(() => Math.floor(random() * 256))).subarray(0, 1 + Math.floor(random() * 100_000))
  ],
  'an empty file': [1, () => Buffer.alloc(0)]
}
const rangeAt = (page: number): [number, number] => [page, page + PAGE_BYTES]

/** Reads everything. What is read is right, or refused by name; true when all of it was right. */
async function readAll(path: string): Promise<boolean> {
  let isWhole = true
  const store = await open(path)
  const refused = (error: unknown): void => {
    assert.instance(error, StoreDamage)
    isWhole = false
  }
  try {
    for (const account of ACCOUNTS)
      try {
        assert.is((await store.head(account))?.head, 1_200)
        const runs = await store.read(account, 0, Infinity)
        assert.equal(
          joined(runs),
          joined(
            appendOf(
              account,
              0,
              Array.from({ length: 40 }, () => 30)
            ).runs
          )
        )
      } catch (error) {
        refused(error)
      }
    for (const key of KEYS)
      try {
        assert.ok(Buffer.from(store.get([key]) ?? []).equals(valueOf(key)), `the record ${key}`)
      } catch (error) {
        refused(error)
      }
  } finally {
    await store.close()
  }
  return isWhole
}

let made: Promise<{ whole: Buffer; half: Buffer }> | undefined
async function stores(context: TestContext): Promise<{ whole: Buffer; half: Buffer }> {
  const path = join(temporaryFolder(context), 'store')
  return (made ??= makeStore(path))
}

for (const [what, [times, damage]] of Object.entries(DAMAGES))
  test(`${what} is named, or does no harm (${times} cases)`, async context => {
    const { whole } = await stores(context)
    const place = temporaryFolder(context)
    const numbers = new Random(times)
    const random = (): number => numbers.next()
    const counts = { refused: 0, harmless: 0 }
    const tryOne = async (index: number, file: Buffer): Promise<void> => {
      const path = join(place, String(index))
      await writeFile(path, file)
      try {
        const trial = await trialOpen(path, TRIAL_MS)
        assert.ok(trial?.isWhole)
        if (trial.damaged.length > 0) counts.refused++
        else {
          // What a trial passes is opened here: should it lie, this process dies or reads what was not written.
          assert.ok(await readAll(path), `case ${index} was damaged, and the trial did not see it`)
          counts.harmless++
        }
      } catch (error) {
        assert.instance(error, StoreDamage, `case ${index}: ${String(error)}`)
        assert.match((error as Error).message, path)
        counts.refused++
      }
      await rm(path)
    }
    const files = Array.from({ length: times }, () => damage(Buffer.from(whole), random))
    const next = files.entries()
    await Promise.all([0, 1, 2].map(async () => {
      for (const [index, file] of next) await tryOne(index, file)
    })) // prettier-ignore
    assert.is(counts.refused + counts.harmless, times)
    process.stdout.write(`FIGURE: ${what}: ${times} files, ${counts.refused} named, ${counts.harmless} unharmed, 0 served\n`)
  })

test('a sound store passes, at every stage of its life, and one that is not there is none', async context => {
  const { whole, half } = await stores(context)
  const path = join(temporaryFolder(context), 'store')
  assert.is(await trialOpen(path, TRIAL_MS), undefined)
  await checkHead(path, false)
  await (await open(path)).close()
  assert.equal((await trialOpen(path, TRIAL_MS))?.damaged, [])
  for (const file of [half, whole]) {
    await writeFile(path, file)
    const trial = await trialOpen(path, TRIAL_MS)
    assert.equal([trial?.isWhole, trial?.damaged], [true, []])
  }
})

test('a copy that is made while commits go on is sound, whenever that is', async context => {
  const path = join(temporaryFolder(context), 'store')
  const store = await open(path)
  context.defer(() => store.close())
  const random = new Random(1)
  const stop = new AbortController()
  const writing = (async () => {
    while (!stop.signal.aborted) {
      const writes = Array.from({ length: 1 + random.below(60) }, () => ({
        key: [String(random.below(3_000))],
        value: random.below(3) === 0 ? undefined : new Uint8Array(Math.floor(random.next() ** 4 * 30_000))
      }))
      await store.commit({ appends: [], writes })
    }
  })()
  for (let look = 0; look < 10; look++) {
    const copy = `${path}.${look}`
    await store.copyTo(copy)
    const trial = await trialOpen(copy, TRIAL_MS)
    assert.equal([trial?.isWhole, trial?.damaged], [true, []])
  }
  stop.abort()
  await writing
})

test('a trial that runs out of time says so', async context => {
  const { whole } = await stores(context)
  const path = join(temporaryFolder(context), 'store')
  await writeFile(path, whole)
  const trial = await trialOpen(path, 0)
  assert.is(trial?.isWhole, false)
  assert.ok(trial!.entries > 0)
})

test('a store of another format is named with its format', async context => {
  const { whole } = await stores(context)
  const path = join(temporaryFolder(context), 'store')
  const other = Buffer.from(whole)
  for (const at of [28, PAGE_BYTES + 28]) other.writeUInt32LE(7, at)
  await writeFile(path, other)
  const error: unknown = await trialOpen(path, TRIAL_MS).catch((error: unknown) => error)
  assert.instance(error, StoreDamage)
  assert.is((error as Error).message, `${path} has the unknown format 7, and not 2`)
})

test.run()
