import { createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ACTIONS, encodeFrame, FRAMES, HubError, decodeFrame, VIEWS, type FrameKind, type Plain } from '../../protocol/index.ts'
import type { Account } from '../../server/core/account.ts'
import { registerDevice } from '../../server/auth/devices.ts'
import { fromWords } from '../util/arbitrary.ts'
import { coreHub, TestClient, type CoreHub } from '../util/core-hub.ts'
import { mutate } from '../util/mutate.ts'
import { Random } from '../util/random.ts'
import { converse, helloFrame, register, servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'
import { docOf, noteOf, updateOf } from '../util/yjs-update.ts'

const FRAME_COUNT = Number(process.env['LECTERN_HOSTILE_FRAMES'] ?? 1_000_000)
const UPDATE_COUNT = Number(process.env['LECTERN_HOSTILE_UPDATES'] ?? 100_000)
const SOCKET_COUNT = 4_000
const SEED = Number(process.env['LECTERN_SEED'] ?? 1)
/** Frames that are handled in one turn of the event loop, as if they had come in one packet. */
const BATCH = 100

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heldBytes(): number {
  for (let times = 0; times < 3; times++) collectGarbage()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

/** Times the stretches between turns of the event loop, in which nobody else is served. */
class TurnWatch {
  longestMs = 0
  #startMs = performance.now()

  async turn(): Promise<void> {
    this.longestMs = Math.max(this.longestMs, Math.round(performance.now() - this.#startMs))
    await turn()
    this.skip()
  }

  /** What was done since the last turn is none of the hub's. */
  skip(): void {
    this.#startMs = performance.now()
  }
}

const turn = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))
const inMiB = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`

/** Sound frames of every kind that a client sends, and pushes of every action. */
function traffic(seed: number): Uint8Array[] {
  const sample = (words: string, numRuns: number): unknown[] => fc.sample(fromWords(words), { numRuns, seed })
  const frames = (Object.keys(FRAMES) as FrameKind[])
    .filter(kind => FRAMES[kind].from === 'client')
    .flatMap(kind => {
      const fields = Object.entries(FRAMES[kind].fields).map(([name, { words }]) => [name, fromWords(words)])
      const arbitrary = fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>)
      return fc.sample(arbitrary, { numRuns: 8, seed }).map(values => encodeFrame(kind, values as never))
    })
  const pushes = Object.entries(ACTIONS).flatMap(([kind, { body }]) =>
    sample(body.words, 8).map((value, index) =>
      encodeFrame('push', { confirmed: 0, actions: [[index + 1, 0, kind, 'book', value as Plain]] })
    )
  )
  const reads = Object.keys(VIEWS).map(view => encodeFrame('read', { id: 1, view: view as 'books', key: 'book', after: '' }))
  return [...frames, ...pushes, ...reads]
}

/** Everything of an account that its devices could come to know. */
function stateOf(account: Account): string {
  const { views, documents, head } = account
  const tables = (['books', 'positions', 'positionHistories', 'settings', 'devices', 'documents'] as const).map(table =>
    views.range(table, [], '', 1_000)
  )
  const docs = views.range('documents', [], '', 1_000).map(([book]) => Buffer.from(documents.use(book).encode()).toString('hex'))
  return createHash('sha256')
    .update(JSON.stringify([head, tables, docs]))
    .digest('hex')
}

/** An account with something in it. The clock stands still, so that nothing is unloaded. */
async function library(core: CoreHub): Promise<{ account: Account; writer: TestClient; token: string; doc: Y.Doc }> {
  const { account, devices } = await core.account('phone')
  const writer = core.connect()
  await writer.hello(devices['phone']!.token)
  const doc = docOf(11)
  await writer.ask(1, 'book.put', 'book', { title: 'Book' })
  await writer.ask(2, 'position.set', 'book', { progression: 0.5 })
  await writer.ask(3, 'setting.put', 'size', { value: 12 })
  for (let number = 4; number < 12; number++) {
    const update = updateOf(doc, annotations => annotations.set(`a${number}`, noteOf(`note ${number}`, { color: 'red' })))
    await writer.ask(number, 'annotation.update', 'book', update)
  }
  await writer.changesUpTo(account.head)
  return { account, writer, token: devices['phone']!.token, doc }
}

const test = suite('hostile/flood', { limitMs: 20 * 60_000 })

test(`${FRAME_COUNT} mutated frames change nothing of what they may not, and leave nothing behind`, async () => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const core = coreHub()
  const { account, writer } = await library(core)
  const { token } = await registerDevice(account, { name: 'display', app: '', readOnly: true }, count =>
    Uint8Array.from({ length: count }, (_, index) => index * 7 + 1)
  )
  await writer.changesUpTo(account.head)
  const before = stateOf(account)
  const random = new Random(SEED)
  const frames = traffic(SEED)
  const counts = { read: 0, sessions: 0, refused: 0 }
  const watch = new TurnWatch()
  let enemy: TestClient | undefined
  let base = 0
  for (let count = 0; count < FRAME_COUNT; count++) {
    const bytes = mutate(random.pick(frames), frames, random)
    let isRead = true
    try {
      decodeFrame(bytes, 'client')
      counts.read += 1
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      isRead = false
    }
    // What cannot be read ends its session: some of it is enough to see that.
    if (isRead || count % 50 === 0) {
      if (enemy === undefined || enemy.closeCode !== undefined) {
        enemy = core.connect()
        await enemy.hello(token)
        counts.sessions += 1
      }
      enemy.bytes(bytes)
      counts.refused += enemy.frames.length
      enemy.frames.length = enemy.changes.length = 0
    }
    if (count % BATCH === 0) await watch.turn()
    // What the first of them have made it learn stays.
    if (count === Math.floor(FRAME_COUNT / 10)) {
      await account.settled()
      base = heldBytes()
      watch.skip()
    }
  }
  enemy?.drop()
  await account.settled()
  await turn()
  const held = heldBytes()
  Error.stackTraceLimit = stackTraceLimit
  assert.is(stateOf(account), before)
  assert.is(core.hub.sessionCount, 1)
  assert.ok(counts.read > FRAME_COUNT / 20 && counts.sessions > FRAME_COUNT / 1_000, `too few get far: ${JSON.stringify(counts)}`)
  await writer.ask(100, 'setting.put', 'size', { value: 13 })
  assert.equal(Object.keys(Object.prototype), [])
  const figures = `${counts.read} read as frames, ${counts.sessions} sessions; ${inMiB(base)} held before, ${inMiB(held)} after; longest turn ${watch.longestMs} ms`
  process.stdout.write(`FIGURE: ${FRAME_COUNT} mutated frames: ${figures}\n`)
  assert.ok(held < base * 1.2, figures)
})

test(`${UPDATE_COUNT} mutated Yjs updates: what is refused leaves no trace, what is accepted is the enemy's own`, async () => {
  const core = coreHub()
  const { account, writer, token, doc } = await library(core)
  writer.drop()
  const devices = await registerDevice(account, { name: 'enemy', app: '' }, count => new Uint8Array(count).fill(7))
  const random = new Random(SEED)
  /** What the enemy knows, and its own edits of it: sound ones, from which the mutants are made. */
  const updates: Uint8Array[] = []
  const renew = (): void => {
    const own = docOf(22 + random.below(1_000_000), account.documents.use('book').encode())
    updates.length = 0
    for (let index = 0; index < 6; index++)
      updates.push(
        updateOf(own, annotations => annotations.set(`e${index}`, noteOf(random.pick(['é', 'words', '👍']), { n: index })))
      )
    updates.push(Y.encodeStateAsUpdate(own))
  }
  renew()
  const counts = { accepted: 0, refused: 0, sessions: 0 }
  const watch = new TurnWatch()
  let enemy: TestClient | undefined
  let number = 0
  let base = 0
  const document = (): Uint8Array => account.documents.use('book').encode()
  let held = document()
  // From the beginning: one that came later and lacks so much would get a snapshot in the place of changes.
  const reader = core.connect()
  await reader.hello(devices.token, { client: 'reader' })
  for (let count = 0; count < UPDATE_COUNT; count++) {
    // What is sent while the hub does not listen takes effect in a later turn, and would look like the trace of another.
    if (enemy !== undefined) while (enemy.isHubPaused && enemy.closeCode === undefined) await watch.turn()
    if (enemy === undefined || enemy.closeCode !== undefined) {
      enemy = core.connect()
      await enemy.hello(devices.token, { epoch: account.epoch, cursor: account.durableHead })
      counts.sessions += 1
    }
    const mutant = mutate(random.pick(updates), updates, random)
    if (mutant.length === 0) continue
    const { head } = account
    enemy.push(number, [++number, 'annotation.update', 'book', mutant])
    const wasAccepted = account.head > head
    if (wasAccepted) counts.accepted += 1
    else counts.refused += 1
    // Encoding takes longer than refusing: each accepted one, and every tenth of the others.
    if (wasAccepted || count % 10 === 0) {
      const now = document()
      if (!wasAccepted) assert.is(Buffer.compare(now, held), 0, `update ${count} of seed ${SEED} was refused and left a trace`)
      held = now
    }
    if (wasAccepted && counts.accepted % 50 === 0) renew()
    if (count % 8 === 0) {
      await watch.turn()
      await account.settled()
      watch.skip()
      enemy.frames.length = enemy.changes.length = 0
    }
    if (count === Math.floor(UPDATE_COUNT / 10)) {
      base = heldBytes()
      watch.skip()
    }
  }
  await account.settled()
  const after = heldBytes()
  // The victim's edits go on, and everyone who reads the log ends as the hub did.
  const update = updateOf(doc, annotations => annotations.set('mine', noteOf('still mine')))
  const victim = core.connect()
  await victim.hello(token)
  assert.is((await victim.ask(1_000, 'annotation.update', 'book', update)).accepted.length, 1)
  await reader.changesUpTo(account.head)
  const seen = new Y.Doc()
  for (const [, , , , , , kind, , body] of reader.changes)
    if (kind === 'annotation.update') Y.applyUpdate(seen, body as Uint8Array)
  const hubs = new Y.Doc()
  Y.applyUpdate(hubs, document())
  assert.equal(seen.getMap('annotations').toJSON(), hubs.getMap('annotations').toJSON())
  assert.equal((seen.getMap('annotations').toJSON() as Record<string, { note: string }>)['mine']?.note, 'still mine')
  assert.ok(hubs.store.pendingStructs === null && hubs.store.pendingDs === null)
  const figures = `${counts.accepted} accepted, ${counts.refused} refused, ${counts.sessions} sessions; ${inMiB(base)} held before, ${inMiB(after)} after; longest turn ${watch.longestMs} ms`
  process.stdout.write(`FIGURE: ${UPDATE_COUNT} mutated Yjs updates: ${figures}\n`)
  assert.ok(after < base * 1.2, figures)
  assert.ok(counts.accepted > UPDATE_COUNT / 1_000 && counts.refused > UPDATE_COUNT / 2, figures)
})

test(`${SOCKET_COUNT} of them over real sockets: the hub answers its own people all the while, and holds no session of the others`, async context => {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const { token } = await register(account, 'display', true)
  const { token: friend } = await register(account, 'friend')
  const random = new Random(SEED)
  const frames = traffic(SEED)
  const { head } = account
  const closes: Record<string, number> = {}
  let friends = 0
  const enemy = async (): Promise<void> => {
    for (let count = 0; count < SOCKET_COUNT / 40; count++) {
      // Ten in one go: what stands behind the first bad one is never looked at.
      const some = Array.from({ length: 10 }, () => mutate(random.pick(frames), frames, random))
      const end = encodeFrame('hello', { version: 1, token, client: 'x', epoch: '', cursor: 0, agent: '' })
      const { closeCode } = await converse(hub.url, [helloFrame(token, { client: `c${random.below(20)}` }), ...some, end])
      closes[closeCode!] = (closes[closeCode!] ?? 0) + 1
    }
  }
  const over = new AbortController()
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const watch = async (): Promise<void> => {
    for (let number = 1; !over.signal.aborted; number++) {
      const { frames } = await converse(
        hub.url,
        [helloFrame(friend), encodeFrame('ping', { nonce: number })],
        ({ kind }) => kind === 'pong'
      )
      assert.is(frames.at(-1)?.kind, 'pong')
      friends += 1
    }
  }
  const watching = watch()
  await Promise.all([enemy(), enemy(), enemy(), enemy()])
  over.abort()
  await watching
  delay.disable()
  while (hub.hub.sessionCount > 0) await turn()
  assert.is(account.head, head)
  assert.ok(friends > 0)
  assert.equal(
    Object.keys(closes).filter(code => !['1002', '1007', '1008', '1009', '4409'].includes(code)),
    []
  )
  process.stdout.write(
    `FIGURE: ${SOCKET_COUNT} mutated frames over sockets, closed with ${JSON.stringify(closes)}; ${friends} others served meanwhile; the loop stood still for ${Math.round(delay.max / 1e6)} ms at most\n`
  )
})

test.run()
