import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { ViewName } from '../../protocol/index.ts'
import { checkFolder } from '../../server/check.ts'
import { HubProcess } from '../util/hub-process.ts'
import { Random } from '../util/random.ts'
import { LibraryWriter } from '../util/stored-library.ts'
import { placesIn, someByte } from '../util/store-places.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const EACH = Number(process.env['LECTERN_DAMAGES'] ?? 3)
const PAGE_BYTES = 4_096
const BOOKS = ['moby', 'emma', 'lear', 'shared']
const LISTS: ViewName[] = ['books', 'settings', 'devices']
const OF_BOOKS: ViewName[] = ['annotations', 'positions', 'position-history', 'document']

const test = suite('long/damage', { limitMs: 30 * 60_000 })

/** What a device was shown: by part, as text. What it was refused is not in it. */
type Shown = Map<string, string>

interface Library {
  readonly folder: string
  readonly file: Buffer
  readonly tokens: readonly string[]
  /** By token. */
  readonly whole: readonly Shown[]
}

/** Reads everything that a device may read, each part on a connection of its own, because damage ends one. */
async function readAll(url: string, token: string): Promise<Shown> {
  const shown: Shown = new Map()
  const part = async (name: string, read: (wire: WireClient) => Promise<unknown>): Promise<void> => {
    const wire = new WireClient()
    try {
      const { head } = await wire.connect(url, token, 'reader')
      if (name === 'the log') await wire.upTo(head)
      shown.set(name, JSON.stringify(await read(wire)))
    } catch {
      assert.ok(wire.closeCode !== undefined, `${name} was neither shown nor refused`)
    } finally {
      wire.close()
    }
  }
  await part('the log', async wire => wire.changes.map(change => [...change, 'as it came']))
  for (const view of LISTS) await part(view, async wire => wire.list(view))
  for (const book of BOOKS)
    for (const view of OF_BOOKS)
      await part(`${view} of ${book}`, async wire =>
        view === 'document' ? Buffer.from(await wire.document(book)).toString('hex') : wire.list(view, book)
      )
  return shown
}

/** A library of two accounts, one of which was compacted, with a journal, segments, long values and free pages. */
async function makeLibrary({ defer }: TestContext): Promise<Library> {
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  await hub.operate('account.add', { account: 'other' })
  const tokens: string[] = []
  for (const account of ['reader', 'other']) {
    const writer = await LibraryWriter.open(hub, account)
    await writer.write(account === 'other' ? 3_500 : 700)
    writer.wire.send('ack', { cursor: writer.acked })
    await writer.write(50)
    writer.wire.close()
    tokens.push(writer.token)
  }
  await hub.operate('compact', { account: 'other' })
  // A reader leaves its own traces: so before, and not only between.
  for (let round = 0; round < 2; round++) for (const token of tokens) await readAll(hub.url, token)
  assert.is(await hub.kill('SIGTERM'), 0)
  await hub.start()
  const whole = [await readAll(hub.url, tokens[0]!), await readAll(hub.url, tokens[1]!)]
  assert.is(await hub.kill('SIGTERM'), 0)
  for (const shown of whole) assert.is(shown.size, 1 + LISTS.length + BOOKS.length * OF_BOOKS.length)
  return { folder: hub.dataFolder, file: readFileSync(join(hub.dataFolder, 'store')), tokens, whole }
}

/** How a hub does on a damaged store: refused by name, or which parts it showed, all of them right. */
async function serve(library: Library, folder: string, flags: readonly string[]): Promise<number | undefined> {
  const hub = new HubProcess(folder)
  try {
    await hub.start(flags)
  } catch (error) {
    assert.match((error as Error).message, /^the hub ended with 65: /)
    assert.match((error as Error).message, join(folder, 'store'))
    return undefined
  }
  let shownInAll = 0
  try {
    for (const [index, token] of library.tokens.entries()) {
      const shown = await readAll(hub.url, token)
      for (const [part, text] of shown) assert.is(text, library.whole[index]!.get(part), `${part} was served damaged`)
      shownInAll += shown.size
    }
    assert.is(await hub.kill('SIGTERM'), 0, hub.output)
  } finally {
    await hub.kill()
  }
  return shownInAll
}

const total = ({ whole }: Library): number => whole.reduce((sum, { size }) => sum + size, 0)

test('a store that is damaged in any place of any kind, or cut short, is named by check and by the hub, or is whole; nothing wrong is served', async context => {
  const library = await makeLibrary(context)
  const random = new Random(7)
  const places = placesIn(library.file)
  const damages: [kind: string, file: Buffer][] = []
  for (const [kind, ofKind] of places)
    for (let index = 0; index < EACH; index++) {
      const file = Buffer.from(library.file)
      file[someByte(ofKind, random)]! ^= 1 << random.below(8)
      damages.push([kind, file])
    }
  for (let index = 0; index < EACH * 2; index++) {
    damages.push(['cut short', library.file.subarray(0, random.below(library.file.length))])
    const used = random.pick(places.get('the head of a page')!).at
    damages.push(['a page of zeros', Buffer.from(library.file).fill(0, used, used + PAGE_BYTES)])
  }
  const counts = new Map<string, { named: number; whole: number }>()
  for (const [kind, file] of damages) {
    const folder = mkdtempSync(join(tmpdir(), 'lectern-damage-'))
    try {
      cpSync(library.folder, folder, { recursive: true })
      writeFileSync(join(folder, 'store'), file)
      const { findings } = await checkFolder(folder)
      const shown = await serve(library, folder, [])
      // What a hub reads at its start is less than a check reads; what it does not show, a check names.
      if (findings.length === 0) assert.is(shown, total(library), `${kind}: a check found nothing, and a part was not shown`)
      const count = counts.get(kind) ?? { named: 0, whole: 0 }
      counts.set(kind, count)
      if (findings.length > 0) count.named++
      else count.whole++
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  for (const [kind, { named, whole }] of counts) process.stdout.write(`FIGURE: ${kind}: ${named} named, ${whole} did no harm\n`)
  process.stdout.write(`FIGURE: ${damages.length} damaged stores: 0 served, 0 crashes\n`)
})

test('what a hub finds damaged only as it reads it is refused, to those whose it is, and not served; everything else goes on', async context => {
  const library = await makeLibrary(context)
  const random = new Random(8)
  const places = placesIn(library.file)
  let refused = 0
  for (const kind of ['a segment, long', 'a record', 'a record, long', 'an epoch', 'a floor'])
    for (let index = 0; index < EACH * 2; index++) {
      const folder = mkdtempSync(join(tmpdir(), 'lectern-damage-'))
      try {
        cpSync(library.folder, folder, { recursive: true })
        const file = Buffer.from(library.file)
        file[someByte(places.get(kind)!, random)]! ^= 1 << random.below(8)
        writeFileSync(join(folder, 'store'), file)
        // As of a store that is too large to be read whole before it is opened.
        const shown = await serve(library, folder, ['--open-damaged', 'yes'])
        assert.ok(shown !== undefined, `${kind}: the hub did not open`)
        refused += total(library) - shown
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
  assert.ok(refused > 0)
  process.stdout.write(`FIGURE: ${5 * EACH * 2} stores opened damaged: 0 parts served wrong, ${refused} refused\n`)
})

test.run()
