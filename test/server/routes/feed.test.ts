import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ERRORS } from '../../../protocol/index.ts'
import { newRestoredEpoch } from '../../../server/core/ids.ts'
import { Origin } from '../../../server/core/origin.ts'
import { FAR_BEHIND_CHANGES } from '../../../server/core/readers.ts'
import { serveHub } from '../../../server/hub.ts'
import { loadConfig } from '../../../server/options.ts'
import { renewEpochs } from '../../../server/storage/new-epochs.ts'
import { recordingLogger } from '../../util/core-hub.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('server/routes/feed')

type Account = Awaited<ReturnType<TestServingHub['hub']['ensureAccount']>>

interface Page {
  readonly epoch: string
  readonly resync?: string
  readonly snapshot?: { kind: string; key: string }[]
  readonly changes: { cursor: number; kind: string; key: string; device: string; body: unknown }[]
  readonly cursor: number
  readonly hasMore: boolean
}

interface Library {
  readonly hub: TestServingHub
  readonly account: Account
  readonly token: string
  readonly device: string
  readonly get: (query: string, init?: { headers?: Record<string, string>; signal?: AbortSignal }) => Promise<Response>
  readonly page: (query: string) => Promise<Page>
  /** Sets a setting so many times. */
  readonly write: (count: number) => Promise<void>
}

async function library(context: TestContext): Promise<Library> {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount('reader')
  const { token, device } = await register(account, 'feed')
  const get: Library['get'] = (query, { headers, ...init } = {}) =>
    fetch(`${hub.url}/api/v1/changes?${query}`, { headers: { authorization: `Bearer ${token}`, ...headers }, ...init })
  return {
    hub,
    account,
    token,
    device,
    get,
    page: async query => (await (await get(query)).json()) as Page,
    async write(count) {
      const writer = new Origin(device, '')
      await Promise.all(
        Array.from({ length: count }, (_, index) => account.perform(writer, 'setting.put', 'n', { value: index }))
      )
    }
  }
}

interface SeenEvent {
  readonly event: string
  readonly id: string
  readonly data: unknown
}

/** The events of a stream, one after the other. */
async function* events(response: Response): AsyncGenerator<SeenEvent> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split('\n')
          .map(line => line.split(/: (.*)/s, 2) as [string, string])
      )
      text = text.slice(end + 2)
      if (fields.event !== undefined) yield { event: fields.event, id: fields.id ?? '', data: JSON.parse(fields.data!) }
    }
  }
}

async function untilNoSession({ hub }: TestServingHub): Promise<void> {
  while (hub.sessionCount > 0) await new Promise(resolve => setImmediate(resolve))
}

/** Reads on, up to an event that is looked for. */
async function upTo(stream: AsyncGenerator<SeenEvent>, isLookedFor: (event: SeenEvent) => boolean): Promise<SeenEvent[]> {
  const seen: SeenEvent[] = []
  for (;;) {
    const { value, done } = await stream.next()
    if (done === true) throw new Error(`the stream ended after ${JSON.stringify(seen)}`)
    seen.push(value)
    if (isLookedFor(value)) return seen
  }
}

test('pages hold the log in order, with no gap and no double, and say when there is no more', async context => {
  const { write, page, account } = await library(context)
  await write(250)
  const cursors: number[] = []
  let at = { epoch: '', cursor: 0, hasMore: true }
  while (at.hasMore) {
    const next = await page(`epoch=${at.epoch}&cursor=${at.cursor}&limit=100`)
    assert.is(next.resync, undefined)
    cursors.push(...next.changes.map(({ cursor }) => cursor))
    at = next
  }
  assert.equal(
    cursors,
    Array.from({ length: account.head }, (_, index) => index + 1)
  )
  assert.equal((await page(`epoch=${at.epoch}&cursor=${at.cursor}`)).changes, [])
})

test('bytes are base64, and a Yjs update comes through whole', async context => {
  const { account, page, device } = await library(context)
  const doc = new Y.Doc()
  doc.getMap('annotations').set('one', new Y.Map([['kind', 'highlight']]))
  await account.documents.load(new Set(['emma']))
  await account.perform(new Origin(device, ''), 'annotation.update', 'emma', Y.encodeStateAsUpdate(doc))
  const { body } = (await page('')).changes.find(({ kind }) => kind === 'annotation.update')!
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Buffer.from((body as { base64: string }).base64, 'base64'))
  assert.equal(copy.getMap('annotations').toJSON(), doc.getMap('annotations').toJSON())
})

test('a long poll waits for the next change', async context => {
  const { page, write, hub } = await library(context)
  const now = await page('')
  const sessions = hub.hub.sessionCount
  const poll = page(`epoch=${now.epoch}&cursor=${now.cursor}&live=long-poll`)
  while (hub.hub.sessionCount === sessions) await new Promise(resolve => setImmediate(resolve))
  await write(1)
  const { changes, cursor, hasMore } = await poll
  assert.equal(
    changes.map(change => [change.cursor, change.kind]),
    [[now.cursor + 1, 'setting.put']]
  )
  assert.equal([cursor, hasMore], [now.cursor + 1, false])
})

test('events come as they happen, and who comes back with the last id misses nothing', async context => {
  const { get, write, account, hub } = await library(context)
  await write(3)
  const hangUp = new AbortController()
  const first = events(await get('live=sse', { signal: hangUp.signal }))
  const before = await upTo(first, ({ event }) => event === 'live')
  await write(1)
  before.push(...(await upTo(first, ({ event }) => event === 'changes')))
  hangUp.abort()
  await untilNoSession(hub)
  await write(2)
  const again = events(await get('live=sse', { headers: { 'last-event-id': before.at(-1)!.id } }))
  const after = await upTo(again, ({ event }) => event === 'live')
  assert.equal(
    [...before, ...after].flatMap(({ event, data }) =>
      event === 'changes' ? (data as { cursor: number }[]).map(({ cursor }) => cursor) : []
    ),
    Array.from({ length: account.head }, (_, index) => index + 1)
  )
})

test('who comes back with the last id of a restored hub goes on from there', async context => {
  const { hub, token, write } = await library(context)
  await write(3)
  await hub.close()
  await renewEpochs(join(hub.dataFolder, 'store'), () => newRestoredEpoch(count => randomBytes(count), Date.now()))
  const restored = await servingHub(context, { dataFolder: hub.dataFolder })
  const seen = async (id: string): Promise<SeenEvent[]> => {
    const headers = { authorization: `Bearer ${token}`, 'last-event-id': id }
    const stream = events(await fetch(`${restored.url}/api/v1/changes?live=sse`, { headers }))
    const all = await upTo(stream, ({ event }) => event === 'live')
    await stream.return(undefined)
    return all
  }
  const before = await seen('')
  assert.ok(before.some(({ event }) => event === 'changes'))
  assert.equal(
    (await seen(before.at(-1)!.id)).map(({ event }) => event),
    ['live']
  )
})

for (const id of ['x', 'epoch:', ':3', 'epoch:99999999999999999999', 'a:b:3'])
  test(`who comes back with an id that is none of ours begins anew, and is told so (${id})`, async context => {
    const { get } = await library(context)
    const again = events(await get('live=sse', { headers: { 'last-event-id': id } }))
    assert.is((await upTo(again, ({ event }) => event === 'live'))[0]!.event, 'resync')
  })

for (const live of ['', 'long-poll', 'sse'])
  test(`from a cursor that is unknown, or far behind, it begins anew${live === '' ? '' : ` (${live})`}`, async context => {
    const { get, page, write, account } = await library(context)
    const read = async (query: string): Promise<{ resync: string | undefined; entries: number; cursor: number }> => {
      if (live !== 'sse') {
        const { resync, snapshot = [], cursor } = await page(`${query}&live=${live}`)
        return { resync, entries: snapshot.length, cursor }
      }
      const stream = events(await get(`${query}&live=sse`))
      const seen = await upTo(stream, ({ event }) => event === 'live')
      await stream.return(undefined)
      const resync = seen.find(({ event }) => event === 'resync')?.data as { code: string } | undefined
      const snapshots = seen.filter(({ event }) => event === 'snapshot').map(({ data }) => data as { entries: unknown[] })
      return {
        resync: resync?.code,
        entries: snapshots.reduce((sum, { entries }) => sum + entries.length, 0),
        cursor: Number(seen.at(-1)!.id.split(':')[1])
      }
    }
    await write(1)
    assert.is((await read(`epoch=another&cursor=1`)).resync, 'cursor-unknown')
    assert.is((await read(`epoch=${account.epoch}&cursor=999`)).resync, 'cursor-unknown')
    for (let left = FAR_BEHIND_CHANGES; left > 0; left -= 1_024) await write(1_024)
    const { resync, entries, cursor } = await read('cursor=0')
    assert.is(resync, 'far-behind')
    assert.ok(entries > 0 && entries < 10)
    assert.is(cursor, account.head)
  })

for (const [query, field] of [
  ['cursor=-1', 'cursor'],
  ['cursor=1.5', 'cursor'],
  ['cursor=', 'cursor'],
  ['cursor=99999999999999999', 'cursor'],
  ['limit=0', 'limit'],
  ['limit=1001', 'limit'],
  ['live=yes', 'live']
] as const)
  test(`${query} is refused, and the field is named`, async context => {
    const { get } = await library(context)
    const answer = await get(query)
    assert.is(answer.status, 400)
    assert.is(((await answer.json()) as { field: string }).field, field)
  })

for (const live of ['', 'long-poll', 'sse'])
  test(`without a good token nothing is told${live === '' ? '' : ` (${live})`}, and a revoked one is cut off`, async context => {
    const { get, hub, account, device, token } = await library(context)
    const { page } = { page: await (await get('')).json() } as { page: Page }
    for (const bad of ['', 'lectern_x']) {
      const answer = await get(`live=${live}`, { headers: { authorization: `Bearer ${bad}` } })
      assert.is(answer.status, ERRORS.unauthenticated.http)
      assert.is(((await answer.json()) as { code: string }).code, 'unauthenticated')
    }
    assert.is((await fetch(`${hub.url}/api/v1/changes?token=${token}`)).status, 200)
    const open = live === '' ? undefined : await get(`live=${live}&epoch=${page.epoch}&cursor=${page.cursor}`)
    await account.write('device.revoke', device, {})
    if (live === 'sse') {
      const seen = await upTo(events(open!), ({ event }) => event === 'bye')
      assert.is((seen.at(-1)!.data as { code: string }).code, 'device-revoked')
    }
    if (live === 'long-poll') assert.is(((await open!.json()) as { error: { code: string } }).error.code, 'device-revoked')
    assert.is((await get(`live=${live}`)).status, ERRORS['device-revoked'].http)
    await untilNoSession(hub)
  })

test('a hub closes, although somebody does not read the answer that it was given', async context => {
  const hub = await serveHub(loadConfig({}, { dataFolder: temporaryFolder(context), port: '0' }), recordingLogger())
  const account = await hub.hub.ensureAccount('reader')
  const { token, device } = await register(account, 'feed')
  const writer = new Origin(device, '')
  const value = 'x'.repeat(60_000)
  // Far more than the system takes in for a socket that nobody reads.
  await Promise.all(Array.from({ length: 400 }, (_, index) => account.perform(writer, 'setting.put', `s${index}`, { value })))
  const { hostname, port } = new URL(hub.url)
  const socket = connect(Number(port), hostname)
  context.defer(() => void socket.destroy())
  socket.on('error', () => undefined)
  socket.write(`GET /api/v1/changes?limit=1000 HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  await once(socket, 'readable')
  await hub.close()
})

test.run()
