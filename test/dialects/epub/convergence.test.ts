import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import * as assert from 'uvu/assert'
import type { Annotations as AnnotationHandle } from '../../../client/annotations.ts'
import { connectNode } from '../../../client/node.ts'
import type { Client } from '../../../client/index.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { Random } from '../../util/random.ts'
import { restHubAt, type RestHub } from '../../util/rest-hub.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { book, marking, readingApp, type Json, type ReadingApp } from './reading-app.ts'

const test = suite('dialects/epub/convergence')

const SEEDS = Number(process.env['LECTERN_SEEDS'] ?? 3)
const STEPS = 50
const COLORS = ['red', 'green', 'blue']

/** An app with all that it has, and what of that it has not sent yet. */
class Mirror {
  readonly markings = new Map<string, Json>()
  readonly books = new Map<number, Json>()
  readonly activities = new Map<string, Json>()
  popup: Json | null = null
  readonly #dirty = new Set<string>()
  #newActivities: Json[] = []
  #isPopupDirty = false
  readonly app: ReadingApp
  readonly #random: Random

  constructor(app: ReadingApp, random: Random) {
    this.app = app
    this.#random = random
  }

  put(one: Json): void {
    this.markings.set(one['syncGuid'], one)
    this.#dirty.add(one['syncGuid'])
  }

  putBook(one: Json): void {
    this.books.set(one['booksBookID'], one)
    this.#dirty.add(`book ${one['booksBookID']}`)
  }

  read(one: Json): void {
    this.activities.set(one['syncGuid'], one)
    this.#newActivities.push(one)
  }

  putPopup(popup: Json): void {
    this.popup = popup
    this.#isPopupDirty = true
  }

  /** Synchronizes; of a lost answer it has nothing, and will send the same again, with what it edits until then. */
  async synchronize(isLost: boolean): Promise<boolean> {
    const request = this.app.model({
      Markings: [...this.markings.values()].filter(one => this.#dirty.has(one['syncGuid'])),
      Books: [...this.books.values()].filter(one => this.#dirty.has(`book ${one['booksBookID']}`)),
      EPubHistoryActivities: this.#newActivities,
      ...(this.#isPopupDirty && { PopupSettings: this.popup })
    })
    if (this.#random.chance(0.2)) await this.app.send(request)
    const { json, text } = await this.app.send(request)
    assert.is(json?.IsSuccess, true, text)
    if (isLost) return true
    const { Result: result } = json
    this.#dirty.clear()
    this.#newActivities = []
    this.#isPopupDirty = false
    this.app.since = result.CurrentSyncTimestamp
    const isNew = (known: Json | null | undefined, told: Json): void =>
      assert.not.ok(isDeepStrictEqual(known, told), `told what it has: ${JSON.stringify(told)}`)
    for (const one of result.Markings) {
      isNew(this.markings.get(one.syncGuid), one)
      this.markings.set(one.syncGuid, one)
    }
    for (const one of result.Books) {
      isNew(this.books.get(one.booksBookID), one)
      this.books.set(one.booksBookID, one)
    }
    for (const one of result.EPubHistoryActivities) {
      isNew(this.activities.get(one.syncGuid), one)
      this.activities.set(one.syncGuid, one)
    }
    if (result.PopupSettings !== null) {
      isNew(this.popup, result.PopupSettings)
      this.popup = result.PopupSettings
    }
    return result.Markings.length + result.Books.length + result.EPubHistoryActivities.length > 0 || result.PopupSettings !== null
  }
}

interface World {
  readonly random: Random
  readonly mirrors: readonly Mirror[]
  readonly client: Client
  readonly notes: Map<string, AnnotationHandle>
  /** One character for each edit, never the same again. */
  readonly nextCharacter: () => string
  /** The same, for an edit of a note: what was written there is to stay there. */
  readonly written: () => string
}

const inserted = (random: Random, note: string, character: string): string => {
  const at = random.below(note.length + 1)
  return note.slice(0, at) + character + note.slice(at)
}

function editMirror({ random, nextCharacter, written }: World, mirror: Mirror): void {
  const one = random.pick([undefined, ...mirror.markings.values()])
  const number = random.pick([...mirror.books.keys(), 7])
  const deed = random.below(8)
  if (deed === 0) return mirror.putBook({ ...(mirror.books.get(number) ?? book(number)), title: nextCharacter() })
  if (deed === 1) return mirror.read(marking(number, { CharIndexStart: random.below(1_000) }))
  if (deed === 2)
    return mirror.putPopup({
      EPubPopupSettingId: 1,
      AccountId: 1,
      Top: random.below(1e6),
      Left: 2,
      Width: 3,
      Height: 4,
      Timestamp: '2025-01-01T00:00:00.1234567'
    })
  if (one === undefined || deed === 3) return mirror.put(marking(number, { note: written(), color: random.pick(COLORS) }))
  if (deed === 4) return mirror.put({ ...one, color: random.pick(COLORS) })
  if (deed === 5) return mirror.put({ ...one, SyncIsRemoved: !one['SyncIsRemoved'] })
  mirror.put({ ...one, note: inserted(random, one['note'] ?? '', written()) })
}

async function editClient({ random, client, notes, nextCharacter, written }: World): Promise<void> {
  const id = random.pick([...client.books.keys()])
  if (random.chance(0.2)) return void (await client.putBook(id, { title: nextCharacter() }))
  const handle = notes.get(id) ?? (await client.annotations(id))
  notes.set(id, handle)
  const one = random.pick([undefined, ...handle.list({ removed: true })])
  const deed = random.below(4)
  if (one === undefined) {
    const id = random.chance(0.5) ? randomUUID() : `own ${nextCharacter()}`
    handle.put({ id, note: written(), color: random.pick(COLORS), quote: 'q' })
  } else if (deed === 0) handle.put({ id: one.id, color: random.pick(COLORS) })
  else if (deed === 1 && one['removedAtMs'] === undefined) handle.remove(one.id)
  else if (deed === 1) handle.restore(one.id)
  else handle.put({ id: one.id, note: inserted(random, one.note ?? '', written()) })
  await client.settled()
}

async function play(context: TestContext, own: TestServingHub, seed: number): Promise<void> {
  const random = new Random(seed)
  const name = `reader ${seed}`
  await own.directory.add(name, 'correct horse')
  const account = await own.hub.ensureAccount(own.directory.get(name).id)
  const hub: RestHub = restHubAt(context, own.url, name, 'correct horse', own)
  const { token } = await register(account, 'sdk')
  const client = await connectNode({ url: own.url, token, file: join(temporaryFolder(context), 'client') })
  context.defer(() => client.close())
  await client.live()
  await client.putBook('emma', { title: 'Emma', authors: ['Jane Austen'] })
  let count = 0
  const notes: string[] = []
  const nextCharacter = (): string => String.fromCodePoint(0x4e00 + count++)
  const world: World = {
    random,
    client,
    notes: new Map(),
    mirrors: [1, 2, 3].map(id => new Mirror(readingApp(hub, id), random)),
    nextCharacter,
    written() {
      notes.push(nextCharacter())
      return notes.at(-1)!
    }
  }
  for (let step = 0; step < STEPS; step++) {
    const mirror = random.pick(world.mirrors)
    if (random.chance(0.25)) await editClient(world)
    else if (random.chance(0.6)) editMirror(world, mirror)
    else await mirror.synchronize(random.chance(0.25))
  }
  // Everybody sends what is left; then everybody hears of it; then nobody hears anything more.
  for (const mirror of [...world.mirrors, ...world.mirrors]) await mirror.synchronize(false)
  for (const mirror of world.mirrors) assert.is(await mirror.synchronize(false), false, 'there is no end')

  // One that was removed before a device had anything is not told to it.
  const markings = new Map(world.mirrors.flatMap(mirror => [...mirror.markings]))
  for (const mirror of world.mirrors)
    for (const [guid, one] of markings)
      if (!one['SyncIsRemoved'] || mirror.markings.has(guid)) assert.equal(mirror.markings.get(guid), one)
  const [first, ...others] = world.mirrors.map(({ books, activities, popup }) => ({
    books: sorted(books),
    activities: sorted(activities),
    popup
  }))
  for (const other of others) assert.equal(other, first)
  await client.live()
  const fresh = readingApp(hub, 4)
  const begun = await fresh.synchronize()
  const isThere = (one: Json): boolean => one['SyncIsRemoved'] === false
  const byGuid = (list: Json[]): Json[] => sorted(new Map(list.map(one => [one['syncGuid'], one])))
  assert.equal(byGuid(begun['Markings']), sorted(markings).filter(isThere))
  assert.equal(begun['PopupSettings'], first!.popup)

  const ofHub: unknown[] = []
  // Of a book that only markings name there is no record.
  for (const id of new Set([...client.books.keys(), 'epub-7']))
    for (const { note, color, quote, removedAtMs } of (await client.annotations(id)).list({ removed: true }))
      ofHub.push([note ?? '', color, quote, removedAtMs !== undefined])
  const ofApps = [...markings.values()].map(one => [one['note'] ?? '', one['color'], one['content'], one['SyncIsRemoved']])
  assert.equal(ofApps.map(String).sort(), ofHub.map(String).sort())
  const all = ofApps.map(([note]) => note as string).join('')
  assert.equal(Array.from(all).sort(), notes.sort(), 'what was written once stands there once')
  for (const { title, booksBookID } of first!.books)
    assert.ok(
      [...client.books.values()].some(known => known.title === title),
      `book ${booksBookID}`
    )
}

const sorted = <K>(map: ReadonlyMap<K, Json>): Json[] =>
  [...map].sort(([left], [right]) => (String(left) < String(right) ? -1 : 1)).map(([, value]) => value)

test(`apps and a client of the hub's own protocol that edit at random, and lose answers, end with what the hub has: ${SEEDS} worlds`, async context => {
  const own = await servingHub(context)
  const first = Number(process.env['LECTERN_SEED'] ?? 1)
  for (let seed = first; seed < first + SEEDS; seed++) {
    try {
      await play(context, own, seed)
    } catch (error) {
      throw new Error(`LECTERN_SEED=${seed}: ${(error as Error).message}\n${(error as { details?: string }).details ?? ''}`, {
        cause: error
      })
    }
  }
})

test.run()
