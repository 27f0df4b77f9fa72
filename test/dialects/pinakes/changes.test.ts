import * as assert from 'uvu/assert'
import { decodeValue } from '../../../protocol/index.ts'
import type { Account } from '../../../server/core/account.ts'
import { FAR_BEHIND_CHANGES } from '../../../server/core/readers.ts'
import { Origin } from '../../../server/core/origin.ts'
import { isRefused, otherAccount, restHub, type RestAnswer, type RestDevice, type RestHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../util/yjs-update.ts'

const test = suite('dialects/pinakes/changes')

interface Change {
  readonly cursor: string
  readonly time_us: number
  readonly device_id: string
  readonly kind: string
  readonly key: string
  readonly body: Record<string, unknown>
}

const changes = (device: RestDevice, query = ''): Promise<RestAnswer> => device.ask('GET', `/changes?${query}`)
const ack = (device: RestDevice, cursor: unknown): Promise<RestAnswer> => device.ask('POST', '/ack', { cursor })
const numberOf = (cursor: string): number => Number(cursor.split(':')[1])
const acknowledged = async (device: RestDevice): Promise<string | null> =>
  (await device.ask('GET', `/devices/${device.id}`)).json.acknowledged_cursor as string | null

/** Makes so many changes, one after the other. */
async function rename(device: RestDevice, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await device.ask('PUT', `/devices/${device.id}`, { app: `version ${index}` })
}

/** The account of a hub that was started for this test. */
async function accountOf({ own, account }: RestHub): Promise<Account> {
  return own!.hub.ensureAccount(own!.directory.get(account).id)
}

async function set(account: Account, count: number): Promise<void> {
  const by = new Origin('maker', '')
  await Promise.all(Array.from({ length: count }, (_, index) => account.perform(by, 'setting.put', 'n', { value: index })))
}

test('pages follow each other without a gap or a double, to the head', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  await rename(device, 7)
  const whole = (await changes(device, 'limit=1000')).json
  assert.is(whole.cursor, whole.head)
  const read: Change[] = []
  let query = 'limit=3'
  for (;;) {
    const { status, json } = await changes(device, query)
    assert.is(status, 200)
    assert.ok(json.changes.length <= 3)
    read.push(...(json.changes as Change[]))
    assert.is(json.cursor, read.at(-1)!.cursor)
    assert.is(json.has_more, json.cursor !== whole.head)
    if (json.has_more === false) break
    query = `limit=3&cursor=${json.cursor}`
  }
  assert.equal(read, whole.changes)
  read.forEach(({ cursor }, index) => assert.is(numberOf(cursor), index + 1))
  read.slice(1).forEach(({ time_us }, index) => assert.ok(time_us > read[index]!.time_us))
  assert.equal(read.at(-1)!.body, { name: 'test', app: 'version 6', readOnly: false })
  assert.equal([read.at(-1)!.kind, read.at(-1)!.key, read.at(-1)!.device_id], ['device.put', device.id, device.id])
})

test('at the head there is nothing, and the cursor stays', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const { cursor } = (await changes(device, 'limit=1000')).json
  assert.equal((await changes(device, `cursor=${cursor}`)).json, { head: cursor, changes: [], cursor, has_more: false })
})

test('both paths answer the same, a page has a hundred changes unless asked otherwise, and HEAD has no body', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  await rename(device, 105)
  const { json, text, headers } = await changes(device)
  assert.equal([json.changes.length, json.has_more], [100, true])
  assert.is(headers.get('content-type'), 'application/json')
  assert.is(headers.get('cache-control'), 'no-store')
  assert.is((await hub.request('GET', '/api/sync/changes', device.token)).text, text)
  const head = await device.ask('HEAD', '/changes')
  assert.equal([head.status, head.text], [200, ''])
})

test('a limit or a cursor that is none is refused by name', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  for (const limit of ['0', '1001', '-1', '1.5', 'ten', '', '1e3', '0x10', '99999999999999999999', '%201', '1&limit=2'])
    isRefused(await changes(device, `limit=${limit}`), 400, 'bad-request', 'limit')
  for (const limit of ['1', '1000', '0007']) assert.is((await changes(device, `limit=${limit}`)).status, 200)
  const { head } = (await changes(device)).json
  const epoch = head.split(':')[0]
  for (const cursor of [
    '',
    '7',
    ':',
    ':7',
    `${epoch}:`,
    epoch,
    `${epoch}:-1`,
    `${epoch}:1.5`,
    `${epoch}:01`,
    `${epoch}:1:2`,
    `${epoch}:9007199254740992`,
    `${epoch}: 1`,
    '%00:1',
    'x'.repeat(200),
    `${head}&cursor=${head}`
  ])
    isRefused(await changes(device, `cursor=${cursor}`), 400, 'bad-request', 'cursor')
})

test('a cursor of another epoch, or beyond the log, is told so and begins anew', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const { head } = (await changes(device)).json
  const [epoch, newest] = [head.split(':')[0], numberOf(head)]
  for (const cursor of ['another:1', `another:${newest}`, `${epoch}:${newest + 1}`, 'another:0']) {
    const { status, json } = await changes(device, `cursor=${cursor}&limit=1000`)
    assert.equal([status, json.resync], [200, 'cursor-unknown'])
    assert.equal(json.changes.length + (json.snapshot?.length ?? 0) > 0, true)
    assert.is(json.cursor, head)
    assert.equal((await changes(device, `cursor=${json.cursor}`)).json, { head, changes: [], cursor: head, has_more: false })
  }
})

test('every kind of change is told, and bytes are base64', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return skipped()
  const device = await hub.device()
  const account = await accountOf(hub)
  const by = new Origin(device.id, 'tab')
  const update = updateOf(docOf(7), annotations => annotations.set('mark', noteOf('a note')))
  await account.documents.load(new Set(['emma']))
  const made: [string, string, unknown][] = [
    ['book.put', 'emma', { title: 'Emma', authors: ['Jane Austen'] }],
    ['book.remove', 'emma', {}],
    ['book.restore', 'emma', {}],
    ['position.set', 'emma', { progression: 0.25, locators: { cfi: 'epubcfi(/6/4)' } }],
    ['setting.put', 'theme', { value: { dark: true, at: [1, null, 'x'] } }],
    ['annotation.update', 'emma', update]
  ]
  const { cursor } = (await changes(device, 'limit=1000')).json
  for (const [kind, key, body] of made) await account.perform(by, kind, key, body as never)
  const told = (await changes(device, `cursor=${cursor}`)).json.changes as (Change & { client: string })[]
  assert.equal(
    told.map(({ kind, key, device_id, client }) => [kind, key, device_id, client]),
    made.map(([kind, key]) => [kind, key, device.id, 'tab'])
  )
  assert.equal(
    told.slice(0, -1).map(({ body }) => body),
    made.slice(0, -1).map(([, , body]) => body)
  )
  assert.equal(told.at(-1)!.body, { base64: Buffer.from(update).toString('base64') })
  await device.ask('POST', '/devices', { name: 'more' })
  const { id } = (await device.ask('POST', '/devices', { name: 'gone' })).json
  await device.ask('PUT', `/devices/${id}`, { disabled: true })
  await device.ask('DELETE', `/devices/${id}`)
  const last = (await changes(device, 'limit=1000')).json.changes.slice(-2) as Change[]
  assert.equal(
    last.map(({ kind, key, device_id, body }) => [kind, key, device_id, body]),
    [
      ['device.put', id, device.id, { name: 'gone', app: '', readOnly: false, disabled: true }],
      ['device.revoke', id, device.id, {}]
    ]
  )
})

test('an acknowledgement is remembered, and never goes back', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  await rename(device, 5)
  assert.is(await acknowledged(device), null)
  const { head } = (await changes(device)).json
  const at = (cursor: number): string => `${head.split(':')[0]}:${cursor}`
  assert.is(await acknowledged(device), at(0), 'reading acknowledges')
  for (const [said, got] of [
    [3, 3],
    [5, 5],
    [4, 5],
    [5, 5]
  ] as const) {
    const { status, json } = await ack(device, at(said))
    assert.equal([status, json], [200, { cursor: at(got) }])
    assert.is(await acknowledged(device), at(got))
  }
  await changes(device, `cursor=${at(5)}`)
  assert.is(await acknowledged(device), at(5), 'reading on acknowledges')
})

test('an acknowledgement of what is no cursor of this log is refused, and changes nothing', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const { head } = (await changes(device)).json
  const [epoch, newest] = [head.split(':')[0] as string, numberOf(head)]
  await ack(device, `${epoch}:1`)
  for (const cursor of [`${epoch}:${newest + 1}`, `another:${newest}`, '1', '', null, 7, `${epoch}:-1`, 'x'.repeat(200)])
    isRefused(await ack(device, cursor), 400, 'bad-request', 'cursor')
  for (const [body, field] of [
    [undefined, 'cursor'],
    [{}, 'cursor'],
    [{ cursor: head, device: 'another' }, 'device'],
    [[], undefined]
  ] as const)
    isRefused(await device.ask('POST', '/ack', body), 400, 'bad-request', field)
  assert.is(await acknowledged(device), `${epoch}:1`)
})

test('a device that may only read reads the changes, and acknowledges them', async context => {
  const hub = await restHub(context)
  const reader = await hub.device({ read_only: true })
  const { status, json } = await changes(reader)
  assert.is(status, 200)
  assert.is((await ack(reader, json.cursor)).status, 200)
})

test('the log is kept for who has not acknowledged it, and compacted once everyone has', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return skipped()
  const device = await hub.device()
  const account = await accountOf(hub)
  await set(account, 3_000)
  const allowedFloor = async (): Promise<number> => (await hub.own!.hub.compact(account.id)).allowedFloor
  let cursor = (await changes(device, 'limit=1000')).json.cursor as string
  cursor = (await changes(device, `limit=1000&cursor=${cursor}`)).json.cursor
  assert.is(await allowedFloor(), 1, 'what was read, and not acknowledged, is let go of')
  assert.is((await ack(device, cursor)).status, 200)
  assert.is(await allowedFloor(), account.head - 1_023)
})

test('an acknowledgement outlives the hub being killed', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return skipped()
  const device = await hub.device()
  const account = await accountOf(hub)
  const { cursor } = (await changes(device)).json
  await ack(device, cursor)
  // What another process would find: the durable records.
  const stored = decodeValue(hub.own.store.get([account.id, 'readers'])!) as { readers: [string, string, number][] }
  assert.equal(
    stored.readers.filter(([id]) => id === device.id).map(([, client, at]) => [client, at]),
    [['', numberOf(cursor)]]
  )
})

test('a cursor below the floor is told so, with a snapshot from which the log goes on', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return skipped()
  const device = await hub.device()
  const account = await accountOf(hub)
  await account.perform(new Origin('maker', ''), 'book.put', 'emma', { title: 'Emma' })
  const { id } = (await device.ask('POST', '/devices', { name: 'put away' })).json
  await device.ask('PUT', `/devices/${id}`, { disabled: true })
  const { cursor } = (await changes(device)).json
  await set(account, FAR_BEHIND_CHANGES + 10)
  const { status, json } = await changes(device, `cursor=${cursor}&limit=10`)
  assert.equal([status, json.resync, json.changes, json.has_more], [200, 'far-behind', [], false])
  assert.is(numberOf(json.cursor), account.head)
  const told = json.snapshot as Change[]
  assert.ok(told.some(({ kind, key, body }) => kind === 'book.put' && key === 'emma' && body['title'] === 'Emma'))
  assert.ok(told.some(({ kind, key, body }) => kind === 'setting.put' && key === 'n' && body['value'] === FAR_BEHIND_CHANGES + 9))
  const isDisabled = (about: string): unknown =>
    told.find(({ kind, key }) => kind === 'device.put' && key === about)!.body['disabled']
  assert.equal([isDisabled(device.id), isDisabled(id)], [undefined, true])
  await set(account, 1)
  const next = (await changes(device, `cursor=${json.cursor}`)).json
  assert.equal([next.changes.length, next.resync], [1, undefined])
})

test("another account's changes are told to nobody", async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return skipped()
  const [mine, theirs] = [await hub.device(), await (await otherAccount(context, hub)).device({ name: 'a secret name' })]
  const foreign = (await changes(theirs)).json.cursor as string
  const { json, text } = await changes(mine, `cursor=${foreign}`)
  assert.is(json.resync, 'cursor-unknown')
  assert.not.match(text, 'a secret name')
  isRefused(await ack(mine, foreign), 400, 'bad-request', 'cursor')
})

function skipped(): void {
  process.stdout.write('SKIPPED: needs a hub of its own\n')
}

test.run()
