import type { Plain, WireChange } from '../../protocol/index.ts'
import { Account } from '../../server/core/account.ts'
import { Background } from '../../server/core/documents/steps.ts'
import { TurnBudget } from '../../server/core/documents/turn-budget.ts'
import { NO_HOUSEHOLDS } from '../../server/core/household.ts'
import type { Clock } from '../../server/core/ports.ts'
import { readPage } from '../../server/core/read.ts'
import type { Store } from '../../server/core/store.ts'
import { Tally } from '../../server/core/tally.ts'
import { MemoryStore } from '../../server/storage/memory.ts'
import { sorted, withoutFields, type Shown } from './clients/app.ts'
import { Probe } from './clients/probe.ts'
import { modelOf, type Model } from './model.ts'
import { streamOf } from './plan.ts'
import type { World } from './world/world.ts'

/** A session that came with a cursor, and what it was sent. */
export interface Catching {
  readonly epoch: string
  readonly cursor: number
  /** False when it must be told to begin anew. */
  readonly canContinue: boolean
  /** From where the log was to follow, when it was told to begin anew. */
  readonly resync: number | undefined
  readonly changes: readonly WireChange[]
  /** What follows from what it was sent, when that began with a snapshot. */
  readonly shown: Shown | undefined
}

/** How an account stands when everything has come to rest. */
export interface AccountInspection {
  readonly account: string
  /** What follows from its log. */
  readonly model: Model
  /** What everyone else makes of it, by name. */
  readonly shown: readonly (readonly [who: string, Shown])[]
  readonly catchings: readonly Catching[]
}

export interface Inspection {
  readonly accounts: readonly AccountInspection[]
  /** What the hub still held when everyone had left. */
  readonly leftovers: readonly string[]
}

/** In a well world a session is told everything within this time. */
const CATCH_UP_MS = 2_000

type Entries = [id: string, fields: Record<string, Plain>][]
type Read = (
  view: 'books' | 'settings' | 'devices' | 'positions' | 'annotations' | 'files' | 'conflicts',
  key: string
) => Promise<Entries>

/** Looks at a world at rest, from every side. */
export async function inspect(world: World): Promise<Inspection> {
  const accounts: AccountInspection[] = []
  for (const account of world.accounts) {
    const model = modelOf(world.history.logs.get(account) ?? [])
    const shown: [string, Shown][] = []
    for (const app of world.present) {
      if (app.party.account !== account || app.isCutOff) continue
      const own = await world.during(app.show())
      if (own !== undefined) shown.push([app.party.client, own])
    }
    const probe = new Probe(world, account, 'viewer', { token: world.tokens.get(account)! })
    const books = world.booksOf(account)
    shown.push(['the views', await world.during(viewed((view, key) => probe.read(view, key), books))])
    probe.close()
    shown.push(['a hub that folds the log anew', await world.during(refolded(world, account, books))])
    accounts.push({ account, model, shown, catchings: await catchUps(world, account) })
  }
  return { accounts, leftovers: await leftovers(world) }
}

async function viewed(read: Read, books: readonly string[]): Promise<Shown> {
  const timeless = (entries: Entries): [string, Plain][] =>
    entries.map(([id, fields]) => [id, withoutFields(fields, 'changedAtUs', 'cursor', 'registeredAtUs')])
  const positions: [string, Plain][] = []
  const annotations: [string, Plain][] = []
  for (const book of books) {
    for (const [device, { progression = null, chapter = null, atMs, cursor }] of await read('positions', book))
      positions.push([`${book} ${device}`, { progression, chapter, atMs: atMs!, cursor: cursor! }])
    for (const [id, fields] of await read('annotations', book)) annotations.push([`${book} ${id}`, fields])
  }
  const files = (await read('files', ''))
    .filter(([, { movedTo }]) => movedTo === undefined)
    .map(([path, { sha256, removed }]): [string, Plain] => [path, { sha256: sha256!, removed: removed! }])
  const conflicts = (await read('conflicts', '')).map(([id, { path, client }]): [string, Plain] => [
    id,
    { path: path!, client: (client as { sha256: string } | null)?.sha256 ?? null }
  ])
  const settings = (await read('settings', '')).map(([name, { value }]): [string, Plain] => [name, value!])
  return {
    books: sorted(timeless(await read('books', ''))),
    settings: sorted(settings.filter(([, value]) => value !== null)),
    devices: sorted(timeless(await read('devices', ''))),
    positions: sorted(positions),
    annotations: sorted(annotations),
    files: sorted(files),
    conflicts: sorted(conflicts)
  }
}

/** The views of an account of which nothing but the log is left. */
async function refolded(world: World, id: string, books: readonly string[]): Promise<Shown> {
  const store: Store = new MemoryStore()
  for (const write of world.disk.writes) {
    const appends = 'trimmed' in write ? [] : write.appends.filter(append => append.account === id)
    if (appends.length > 0) await store.commit({ appends, writes: [] })
  }
  const nowMs = world.hub!.clock.nowMs()
  // Nobody else is there to have a turn.
  const clock: Clock = { nowMs: () => nowMs, nextTurn: queueMicrotask, setTimer: () => () => {} }
  const account = await Account.open(id, (await store.head(id))!, {
    store,
    clock,
    background: new Background(clock),
    turnBudget: new TurnBudget(clock),
    maxAccountBytes: Infinity,
    household: NO_HOUSEHOLDS,
    tally: new Tally(),
    mustTakeWrites() {},
    wake() {},
    broken() {},
    bookChanged() {}
  })
  await account.documents.load(new Set(books.filter(book => account.documents.isKnown(book))))
  return viewed(async (view, key) => readPage(account, view, key, '').value as Entries, books)
}

/** Sessions that come with all sorts of cursors. */
async function catchUps(world: World, account: string): Promise<Catching[]> {
  const random = streamOf(world.plan.seed, `probes ${account}`)
  const token = world.tokens.get(account)!
  const { length } = world.history.logs.get(account) ?? []
  const { epoch, floor } = (await world.during(world.account(account)))!
  const hellos = [
    { epoch, cursor: random.below(length + 1) },
    { epoch: '', cursor: 0 },
    random.chance(0.5) ? { epoch, cursor: length + 1 + random.below(5) } : { epoch: 'another', cursor: random.below(length + 1) }
  ]
  const catchings: Catching[] = []
  for (const [index, hello] of hellos.entries()) {
    const probe = new Probe(world, account, `probe${index}`, { token, ...hello })
    await world.loop.runUntil(world.loop.nowMs + CATCH_UP_MS)
    const { resync, changes, entries } = probe
    const isKnown = hello.cursor <= length && hello.epoch !== 'another'
    const shown = entries.length > 0 ? modelOf([...joined(entries), ...changes]) : undefined
    catchings.push({ ...hello, canContinue: isKnown && hello.cursor + 1 >= floor, resync: resync?.cursor, changes, shown })
    probe.close()
  }
  return catchings
}

/** A snapshot's entries, those that came in parts as one. */
function joined(entries: readonly WireChange[]): WireChange[] {
  let parts: Uint8Array[] = []
  return entries.flatMap((entry): WireChange[] => {
    const [cursor, timeUs, device, client, number, atMs, kind, key, body] = entry
    if (kind !== 'annotation.part' && kind !== 'annotation.update') return [entry]
    parts.push(body as Uint8Array)
    if (kind === 'annotation.part') return []
    const whole = new Uint8Array(Buffer.concat(parts))
    parts = []
    return [[cursor, timeUs, device, client, number, atMs, kind, key, whole]]
  })
}

/** Lets everyone leave, and looks at what stays behind. */
async function leftovers(world: World): Promise<string[]> {
  const { hub, apps, loop, life } = world
  // Nobody who was to come back does.
  life.isOver = true
  for (const app of apps) app.crash()
  await loop.runUntil(loop.nowMs + 200_000)
  const found: string[] = []
  const { hub: core, clock } = hub!
  if (core.sessionCount > 0) found.push(`${core.sessionCount} sessions`)
  // The sweep's own.
  if (clock.timers > 1) found.push(`${clock.timers} timers`)
  for (const id of world.accounts) {
    const { followers } = (await world.during(core.account(id)))!
    if (followers.size > 0) found.push(`${followers.size} followers of ${id}`)
  }
  return found
}
