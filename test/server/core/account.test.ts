import * as assert from 'uvu/assert'
import { LIMITS, type Plain } from '../../../protocol/index.ts'
import { registerDevice } from '../../../server/auth/devices.ts'
import { Origin } from '../../../server/core/origin.ts'
import { coreHub, type CoreHub, type TestAction, type TestClient } from '../../util/core-hub.ts'
import { refusalOf } from '../../util/document-trace.ts'
import { HeldStore } from '../../util/stores.ts'
import { suite } from '../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../util/yjs-update.ts'

const test = suite('server/core/account')

const put = (number: number, value: unknown = number): TestAction => [number, 'setting.put', 'name', { value }]

async function signedIn(
  hub = coreHub()
): Promise<CoreHub & { client: TestClient; token: string; id: string; head: () => number }> {
  const { account, devices } = await hub.account('phone')
  const client = hub.connect()
  await client.hello(devices['phone']!.token)
  return { ...hub, client, token: devices['phone']!.token, id: account.id, head: () => account.head }
}

async function answers(client: TestClient, confirmed: number, ...actions: TestAction[]): Promise<(string | number)[]> {
  client.push(confirmed, ...actions)
  const { accepted, refused } = await client.next('acked')
  const given = new Map<number, string | number>([
    ...accepted,
    ...refused.map(([number, code]): [number, string] => [number, code])
  ])
  return actions.map(([number]) => given.get(number)!)
}

test('an accepted action gets a cursor, and numbers may have gaps', async () => {
  const { client, head } = await signedIn()
  assert.equal(await answers(client, 0, put(1), put(2), put(50)), [2, 3, 4])
  assert.is(head(), 4)
})

test('a repeated action gets its first answer and appends nothing, accepted or refused', async () => {
  const { client, connect, token, head } = await signedIn()
  const nonsense: TestAction = [2, 'nonsense', 'key', {}]
  assert.equal(await answers(client, 0, put(1), nonsense, put(3)), [2, 'unknown-action', 3])
  assert.equal(await answers(client, 0, put(1), nonsense, put(3), put(1)), [2, 'unknown-action', 3, 2])
  const again = connect()
  await again.hello(token)
  assert.equal(await answers(again, 0, nonsense, put(1)), ['unknown-action', 2])
  assert.is(head(), 3)
})

test('a repeated document update gets its first answer too, though the document has it already', async () => {
  const { client, head } = await signedIn()
  const update = updateOf(docOf(1), annotations => annotations.set('a', noteOf('n')))
  const action: TestAction = [1, 'annotation.update', 'book', update]
  assert.equal([await answers(client, 0, action), await answers(client, 0, action), head()], [[2], [2], 2])
})

test('what large changes left is stored soon, and not held in memory until there are many', async () => {
  const { client, store, id } = await signedIn()
  const large = Array.from({ length: 60_000 }, () => null)
  const isStored = (name: string): boolean => store.get([id, 'settings', name]) !== undefined
  for (let number = 1; number <= 8; number++)
    assert.equal(await answers(client, 0, [number, 'setting.put', `s${number}`, { value: large }]), [number + 1])
  assert.equal(
    [1, 2, 3, 4, 5, 6, 7, 8].filter(number => isStored(`s${number}`)),
    [1, 2, 3, 4, 5]
  )
})

test('the same number with other content is refused: another body, key or kind', async () => {
  const { client, head } = await signedIn()
  assert.equal(await answers(client, 0, put(1, 'x')), [2])
  for (const other of [
    put(1, 'y'),
    [1, 'setting.put', 'other', { value: 'x' }],
    [1, 'book.put', 'name', { title: 'x' }]
  ] as TestAction[])
    assert.equal(await answers(client, 0, other), ['action-conflict'])
  assert.equal(await answers(client, 0, put(1, 'x')), [2])
  assert.is(head(), 2)
})

test('a number that was passed over or confirmed is already done', async () => {
  const { client, head } = await signedIn()
  assert.equal(await answers(client, 0, put(5)), [2])
  assert.equal(await answers(client, 0, put(4)), ['already-done'])
  assert.equal(await answers(client, 5, put(6)), [3])
  assert.equal(await answers(client, 5, put(5), put(6)), ['already-done', 3])
  assert.is(head(), 3)
})

test('numbers are a series of the client: two tabs of one device, and two devices with one client name, do not clash', async () => {
  const { client, hub, connect, token } = await signedIn()
  const account = (await hub.account('account1'))!
  const other = await registerDevice(account, { name: 'other', app: '' }, count => new Uint8Array(count).fill(7))
  const [tab, device] = [connect(), connect()]
  await tab.hello(token, { client: 'second tab' })
  await device.hello(other.token)
  assert.equal(
    [await answers(client, 0, put(1)), await answers(tab, 0, put(1)), await answers(device, 0, put(1))],
    [[3], [4], [5]]
  )
})

test('one bad action of a batch rejects that action alone, with its reason and field, and uses up its number', async () => {
  const { client, head } = await signedIn()
  client.push(
    0,
    put(1),
    [2, 'book.put', 'book', { rating: 9 }],
    [3, 'nonsense', 'key', {}],
    [4, 'book.put', '', {}],
    [5, 'book.remove', 'unknown', {}],
    [6, 'annotation.update', 'book', Uint8Array.of(1, 2, 3)],
    [7, 'annotation.remove', 'book', { id: 'unknown' }],
    [8, 'book.put', 'book', { title: 'T', stranger: 1 }],
    put(9)
  )
  const { accepted, refused } = await client.next('acked')
  assert.equal(accepted, [[1, 2], [9, 3]]) // prettier-ignore
  assert.equal(
    refused.map(([number, code, , field]) => [number, code, field]),
    [
      [2, 'bad-action', 'body.rating'],
      [3, 'unknown-action', 'kind'],
      [4, 'bad-action', 'key'],
      [5, 'not-found', 'key'],
      [6, 'bad-update', ''],
      [7, 'not-found', 'body.id'],
      [8, 'bad-action', 'body.stranger']
    ]
  )
  assert.equal([head(), await client.list('books'), await client.list('annotations', 'book')], [3, [], []])
  assert.equal(await answers(client, 0, [2, 'book.put', 'book', { rating: 5 }]), ['action-conflict'])
})

test('a body over the limit is too large, and only an update may be larger', async () => {
  const { client } = await signedIn()
  assert.equal(await answers(client, 0, put(1, 'x'.repeat(LIMITS.maxBodyBytes)), put(2, 'x'.repeat(LIMITS.maxBodyBytes - 32))), [
    'too-large',
    2
  ])
  const large = updateOf(docOf(1), annotations => annotations.set('a', noteOf('x'.repeat(500_000))))
  assert.equal(await answers(client, 0, [3, 'annotation.update', 'book', large]), [3])
})

test('a book holds so many identifiers and no more, so that a frame can carry it', async () => {
  const { client } = await signedIn()
  const identifiers = (from: number, count: number, value: string | null = 'x'): Plain =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`id:${from + index}`, value]))
  for (let part = 0; part < 4; part++)
    assert.equal(await answers(client, 0, [part + 1, 'book.put', 'book', { identifiers: identifiers(part * 64, 64) }]), [
      part + 2
    ])
  assert.equal(await answers(client, 0, [5, 'book.put', 'book', { identifiers: { one: 'more' } }]), ['too-large'])
  assert.equal(await answers(client, 0, [6, 'book.put', 'book', { identifiers: { 'id:0': null, one: 'more' } }]), [6])
  assert.is((await client.list('books')).length, 1)
})

test('a read-only device reads everything and changes nothing', async () => {
  const { hub, connect, head } = await signedIn()
  const account = (await hub.account('account1'))!
  const { token } = await registerDevice(account, { name: 'display', app: '', readOnly: true }, count =>
    new Uint8Array(count).fill(9)
  )
  const display = connect()
  await display.hello(token)
  const update = updateOf(docOf(1), annotations => annotations.set('a', noteOf('n')))
  const kinds: TestAction[] = [put(1), [2, 'annotation.update', 'book', update], [3, 'position.set', 'book', {}]]
  assert.equal(await answers(display, 0, ...kinds), ['forbidden', 'forbidden', 'forbidden'])
  assert.equal([head(), (await display.list('devices')).length, await display.list('annotations', 'book')], [2, 2, []])
})

test('time rises strictly with every change, and goes on rising while the clock steps back, over a restart too', async () => {
  const store = new HeldStore()
  const first = await signedIn(coreHub({ store }))
  const { client, clock, token } = first
  for (let number = 1; number <= 30; number++) {
    client.push(0, put(number), put(number + 100))
    if (number % 3 === 0) await client.changesUpTo(number)
    clock.step(number % 2 === 0 ? -3_600_000 : 1_000)
  }
  await client.changesUpTo(first.head())
  const crashed = coreHub({ store: store.inner, clock })
  clock.step(-86_400_000)
  const next = crashed.connect()
  await next.hello(token)
  await next.ask(1_000, 'setting.put', 'name', { value: 1 })
  await crashed.hub.close()
  clock.step(-86_400_000)
  const last = coreHub({ store: store.inner, clock }).connect()
  await last.hello(token)
  last.push(0, put(2_000))
  const times = (await last.changesUpTo(first.head() + 2)).map(([, timeUs]) => timeUs)
  for (const [index, timeUs] of times.entries()) assert.ok(index === 0 || timeUs > times[index - 1]!, `change ${index + 1}`)
})

test("a client's claimed time stands beside the hub's, and is clamped to it", async () => {
  const { client, clock } = await signedIn()
  const nowMs = clock.nowMs()
  client.push(0, [1, 'setting.put', 'a', { value: 1 }, nowMs - 5], [2, 'setting.put', 'a', { value: 1 }, nowMs + 1], [3, 'setting.put', 'a', { value: 1 }, 2 ** 53 - 1]) // prettier-ignore
  const changes = await client.changesUpTo(4)
  assert.equal(changes.slice(1).map(([, timeUs, , , , atMs]) => [Math.floor(timeUs / 1_000), atMs]), [[nowMs, nowMs - 5], [nowMs, nowMs], [nowMs, nowMs]]) // prettier-ignore
})

test("after the hub's clock was put back, places of a device's other outboxes count as they come", async () => {
  const { client, clock, connect, token } = await signedIn()
  const YEAR_MS = 365 * 86_400_000
  const other = connect()
  await other.hello(token, { client: 'other tab' })
  const placeOf = async (from: TestClient, number: number, progression: number): Promise<unknown> => {
    await answers(from, 0, [number, 'position.set', 'emma', { progression }, clock.nowMs() - 2_000])
    const page = await client.read('positions', 'emma')
    return (page as unknown as { value: [string, { progression: number }][] }).value[0]![1].progression
  }
  clock.step(YEAR_MS)
  assert.is(await placeOf(client, 1, 0.1), 0.1)
  clock.step(-YEAR_MS)
  assert.is(await placeOf(other, 1, 0.9), 0.9)
  assert.is(await placeOf(client, 2, 0.2), 0.2)
  clock.step(2 * YEAR_MS)
  assert.is(await placeOf(other, 2, 0.8), 0.8)
})

test('a change says where it comes from', async () => {
  const { client, clock } = await signedIn()
  await answers(client, 0, [7, 'book.put', 'büch', { title: 'T' }, 5])
  const [, registered, change] = [0, ...client.changes] as never as unknown[][]
  const device = (registered as unknown[])[2]
  assert.equal(change, [2, clock.nowMs() * 1_000 + 1, device, 'tab', 7, 5, 'book.put', 'büch', { title: 'T' }])
})

test('an action without a number is performed or thrown out, and held to what a frame can carry', async () => {
  const { hub } = coreHub()
  const account = await hub.ensureAccount('a')
  const origin = new Origin('operator', '')
  assert.is(await account.perform(origin, 'book.put', 'b', { title: 'T' }), 1)
  const deep = JSON.parse('{"x":'.repeat(20) + '1' + '}'.repeat(20)) as Plain
  const bad: [string, string, Plain][] = [
    ['nonsense', 'b', {}],
    ['book.put', 'b', { extra: { deep } }],
    ['book.put', 'b', { extra: JSON.parse('{"__proto__":1}') as Plain }],
    ['book.put', 'b', { extra: { text: '\ud800' } }],
    ['book.put', '\ud800', {}],
    ['book.put', 'a\0b', {}],
    ['setting.put', 's', { value: { n: NaN } }],
    ['setting.put', 's', { value: Object.fromEntries(Array.from({ length: 300 }, (_, index) => [index, 1])) }],
    ['book.put', 'b', { extra: { ['k'.repeat(200)]: 1 } }]
  ]
  for (const [kind, key, body] of bad) {
    const refused = await account.perform(origin, kind, key, body).then(() => undefined, (error: unknown) => refusalOf(() => { throw error })) // prettier-ignore
    assert.ok(refused, `${kind} ${key} ${JSON.stringify(body)}`)
  }
  assert.is(account.head, 1)
  assert.is(
    await account.perform(new Origin('r', '', 'reader'), 'book.put', 'b', {}).catch((error: { code: string }) => error.code),
    'forbidden'
  )
})

test('nothing is sent, told or read before the commit has resolved', async () => {
  const store = new HeldStore()
  const { client, connect, token, hub } = await signedIn(coreHub({ store }))
  const follower = connect()
  await follower.hello(token, { client: 'follower' })
  await follower.changesUpTo(1)
  store.holdCommits()
  client.push(0, put(1))
  const performed = (await hub.account('account1'))!.perform(new Origin('operator', ''), 'setting.put', 'b', { value: 1 })
  let isPerformed = false
  void performed.then(() => (isPerformed = true))
  await store.until(({ heldCommits }) => heldCommits === 1)
  const late = connect()
  const welcome = await late.hello(token, { client: 'late' })
  const read = late.read('settings')
  await late.changesUpTo(1)
  const frames = [client, follower, late].flatMap(({ frames }) => frames)
  assert.not(frames.some(frame => frame.kind === 'acked' || frame.kind === 'view' || (frame.kind === 'changes' && frame.changes.some(([cursor]) => cursor > 1)))) // prettier-ignore
  assert.equal([welcome.head, isPerformed], [1, false])
  store.releaseCommits()
  assert.equal((await client.next('acked')).accepted, [[1, 2]])
  const page = await read
  assert.is(page.kind === 'view' && (page.value as Plain[]).length, 2)
  assert.is(await performed, 3)
  await late.changesUpTo(3)
  await follower.changesUpTo(3)
})

test.run()
