import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import type { Plain } from '../../../../protocol/index.ts'
import { putAnnotation } from '../../../../protocol/index.ts'
import { markKnownAnnotation } from '../../../../server/core/documents/annotations.ts'
import { Document } from '../../../../server/core/documents/document.ts'
import { addVersion } from '../../../../server/core/history.ts'
import type { AnnotationHistoryRecord, AnnotationVersion } from '../../../../server/core/records.ts'
import { coreHub, type CoreHub, type TestClient, type TestDevice } from '../../../util/core-hub.ts'
import { momentOf } from '../../../util/document-trace.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents/versions')

const HOUR_US = 3_600e6
const TEN_MINUTES_MS = 600_001

interface Scene {
  readonly core: CoreHub
  readonly phone: TestClient
  readonly tablet: TestClient
  readonly devices: Record<string, TestDevice>
  /** Puts by the next number. @returns its cursor */
  readonly put: (client: TestClient, fields: object) => Promise<number>
  readonly ask: (client: TestClient, kind: string, body: unknown) => Promise<number>
}

async function scene(): Promise<Scene> {
  const core = coreHub()
  const { devices } = await core.account('phone', 'tablet')
  const [phone, tablet] = [core.connect(), core.connect()]
  await phone.hello(devices['phone']!.token)
  await tablet.hello(devices['tablet']!.token)
  let number = 0
  const ask = async (client: TestClient, kind: string, body: unknown): Promise<number> => {
    const { accepted, refused } = await client.ask(++number, kind, 'b', body)
    assert.equal(refused, [])
    return accepted[0]![1]
  }
  return { core, phone, tablet, devices, ask, put: (client, fields) => ask(client, 'annotation.put', { id: 'a', ...fields }) }
}

/** Of each version of an annotation the cursor and these fields. */
const versionsOf = async (client: TestClient, fields = ['note'], id = 'a'): Promise<Plain[]> =>
  (await client.list('annotation-history', 'b', id)).map(([, version]) => [
    version['cursor']!,
    ...fields.map(name => version[name] ?? null)
  ])

test('what a device writes in one go is one version, kept before the first edit ten minutes later', async () => {
  const { core, phone, devices, put } = await scene()
  for (const note of ['o', 'on', 'one']) await put(phone, { note })
  core.clock.advance(TEN_MINUTES_MS)
  const cursor = await put(phone, { note: 'one t' })
  await put(phone, { note: 'one two' })
  assert.equal(await versionsOf(phone), [[cursor, 'one']])
  core.clock.advance(TEN_MINUTES_MS)
  const next = await put(phone, { color: 'red' })
  assert.equal(await versionsOf(phone, ['note', 'device']), [
    [cursor, 'one', devices['phone']!.device],
    [next, 'one two', devices['phone']!.device]
  ])
})

test("the version before another device's first edit is kept, and one a minute while both write", async () => {
  const { core, phone, tablet, put } = await scene()
  await put(phone, { note: 'mine' })
  const first = await put(tablet, { note: 'theirs' })
  await put(phone, { note: 'mine again' })
  await put(tablet, { note: 'theirs again' })
  assert.equal(await versionsOf(phone), [[first, 'mine']])
  core.clock.advance(61_000)
  const second = await put(phone, { note: 'later' })
  assert.equal(await versionsOf(phone), [
    [first, 'mine'],
    [second, 'theirs again']
  ])
})

test('the version before a removal is kept, whoever removes, and once while nothing else changes', async () => {
  const { phone, put, ask } = await scene()
  await put(phone, { note: 'kept' })
  const cursor = await ask(phone, 'annotation.remove', { id: 'a' })
  for (let round = 0; round < 5; round++) {
    await ask(phone, 'annotation.restore', { id: 'a' })
    await ask(phone, 'annotation.remove', { id: 'a' })
  }
  assert.equal(await versionsOf(phone, ['note', 'removedAtMs']), [[cursor, 'kept', null]])
})

test('what a Yjs client replaces, takes apart or deletes is kept as it stood', async () => {
  const { phone, ask } = await scene()
  const doc = docOf(7)
  const update = (change: (annotations: Y.Map<unknown>) => void): Promise<number> =>
    ask(phone, 'annotation.update', updateOf(doc, change))
  const entry = (annotations: Y.Map<unknown>): Y.Map<unknown> => annotations.get('a') as Y.Map<unknown>
  await update(annotations => {
    const made = noteOf('first')
    made.set('extra', new Y.Map([['list', Y.Array.from([1, 'two'])]]))
    annotations.set('a', made)
  })
  const replaced = await update(annotations => annotations.set('a', noteOf('second')))
  const marked = await update(annotations => {
    const text = entry(annotations).get('note') as Y.Text
    text.delete(0, 3)
    text.insert(0, 'x')
    entry(annotations).set('removedAtMs', 1)
  })
  const deleted = await update(annotations => annotations.delete('a'))
  assert.equal(await versionsOf(phone, ['note', 'extra']), [
    [replaced, 'first', { list: [1, 'two'] }],
    [marked, 'second', null],
    [deleted, 'xond', null]
  ])
  await ask(phone, 'annotation.restore', { id: 'a', cursor: replaced })
  const [[, restored]] = (await phone.list('annotations', 'b')) as [[string, { [field: string]: Plain }]]
  assert.equal([restored['note'], restored['extra']], ['first', { list: [1, 'two'] }])
})

test('a version is restored by its cursor: above the floor and below it, after compaction and after a restart', async () => {
  const { core, phone, devices, put, ask } = await scene()
  await put(phone, { note: 'a good note', color: 'red', kind: 'highlight' })
  core.clock.advance(TEN_MINUTES_MS)
  const cursor = await put(phone, { note: 'a bad note', color: null, style: 'bold' })
  const removed = await ask(phone, 'annotation.remove', { id: 'a' })
  const read = async (client: TestClient): Promise<Plain[]> => {
    const [[, found]] = (await client.list('annotations', 'b')) as [[string, { [field: string]: Plain }]]
    return ['note', 'color', 'style', 'kind', 'removedAtMs'].map(name => found[name] ?? null)
  }
  const good = ['a good note', 'red', null, 'highlight', null]
  const bad = ['a bad note', null, 'bold', 'highlight', null]
  await ask(phone, 'annotation.restore', { id: 'a', cursor })
  assert.equal(await read(phone), good)
  await ask(phone, 'annotation.restore', { id: 'a', cursor: removed })
  assert.equal(await read(phone), bad)
  const account = (await core.hub.account('account1'))!
  for (let at = 1_000; at < 5_000; at += 250) {
    phone.push(0, ...Array.from({ length: 250 }, (_, i) => [at + i, 'position.set', 'b', { progression: 0.1 }] as [number, string, string, object])) // prettier-ignore
    await phone.next('acked')
  }
  phone.send('ack', { cursor: account.head })
  const listed = await phone.list('annotation-history', 'b', 'a')
  core.clock.advance(31 * 86_400_000)
  assert.ok((await core.hub.compact(account.id)).floor > removed)
  assert.equal(await phone.list('annotation-history', 'b', 'a'), listed)
  await core.hub.close()
  const again = coreHub({ store: core.store, clock: core.clock })
  const back = again.connect()
  await back.hello(devices['phone']!.token)
  assert.equal(await back.list('annotation-history', 'b', 'a'), listed)
  const { accepted } = await back.ask(6_000, 'annotation.restore', 'b', { id: 'a', cursor })
  assert.is(accepted.length, 1)
  assert.equal(await read(back), good)
})

test('a restored note is an ordinary edit: what another device types meanwhile stays', async () => {
  const { core, phone, tablet, devices, put, ask } = await scene()
  await put(phone, { note: 'The whale. It was white.' })
  const doc = docOf(9)
  const page = await tablet.read('document', 'b')
  Y.applyUpdate(doc, (page as { value: Uint8Array }).value)
  core.clock.advance(TEN_MINUTES_MS)
  const cursor = await put(phone, { note: 'The whale. It was red.' })
  await ask(phone, 'annotation.restore', { id: 'a', cursor })
  const typed = updateOf(doc, annotations => ((annotations.get('a') as Y.Map<unknown>).get('note') as Y.Text).insert(4, 'great '))
  await ask(tablet, 'annotation.update', typed)
  const [[, found]] = (await phone.list('annotations', 'b')) as [[string, { [field: string]: Plain }]]
  assert.is(found['note'], 'The great whale. It was white.')
  const reader = core.connect()
  await reader.hello(devices['phone']!.token, { client: 'reader' })
  const account = (await core.hub.account('account1'))!
  const copy = docOf(10)
  for (const change of await reader.changesUpTo(account.head))
    if (change[6] === 'annotation.update') Y.applyUpdate(copy, change[8] as Uint8Array)
  assert.is((copy.getMap('annotations').toJSON()['a'] as { note: string }).note, 'The great whale. It was white.')
})

test('a version that is not kept, or is of another annotation, is refused; a restore that changes nothing is none', async () => {
  const { core, phone, put } = await scene()
  await put(phone, { note: 'one' })
  core.clock.advance(TEN_MINUTES_MS)
  const cursor = await put(phone, { note: 'two' })
  for (const [index, body] of [
    { id: 'a', cursor: cursor - 1 },
    { id: 'other', cursor }
  ].entries()) {
    const { refused } = await phone.ask(1_000 + index, 'annotation.restore', 'b', body)
    assert.equal([refused[0]![1], refused[0]![3]], ['not-found', 'body.cursor'])
  }
  const { refused } = await phone.ask(1_010, 'annotation.restore', 'none', { id: 'a', cursor })
  assert.is(refused[0]![1], 'not-found')
  await phone.ask(1_020, 'annotation.restore', 'b', { id: 'a', cursor })
  const before = await phone.list('annotations', 'b')
  core.clock.advance(5)
  await phone.ask(1_021, 'annotation.restore', 'b', { id: 'a', cursor })
  assert.equal(await phone.list('annotations', 'b'), before)
})

test('the view names the annotation that it is of', async () => {
  const { phone, put } = await scene()
  await put(phone, { note: 'one' })
  const failed = await phone.read('annotation-history', 'b')
  assert.equal(failed.kind === 'failed' && [failed.code, failed.field], ['bad-request', 'item'])
  assert.equal(await phone.list('annotation-history', 'none', 'a'), [])
})

test('a version that is too large is left out, and costs nothing more in the same burst', async () => {
  const { core, phone, ask } = await scene()
  const doc = docOf(7)
  const update = (change: (annotations: Y.Map<unknown>) => void): Promise<number> =>
    ask(phone, 'annotation.update', updateOf(doc, change))
  await update(annotations => annotations.set('a', noteOf('x'.repeat(300_000))))
  core.clock.advance(TEN_MINUTES_MS)
  await update(annotations => (annotations.get('a') as Y.Map<unknown>).set('removedAtMs', 1))
  assert.equal(await versionsOf(phone), [])
  await update(annotations => ((annotations.get('a') as Y.Map<unknown>).get('note') as Y.Text).delete(1, 299_999))
  core.clock.advance(TEN_MINUTES_MS)
  const cursor = await update(annotations => (annotations.get('a') as Y.Map<unknown>).delete('removedAtMs'))
  assert.equal(await versionsOf(phone), [[cursor, 'x']])
})

function historyOf(...found: readonly (readonly AnnotationVersion[])[]): AnnotationHistoryRecord {
  const history: AnnotationHistoryRecord = { versions: [], added: 0, addedBytes: 0 }
  for (const version of found.flat()) addVersion(history, version)
  return history
}

test('a history is bounded in entries and in bytes, and keeps what one device had before another longest', () => {
  const version = (index: number, device: string, bytes: number): AnnotationVersion => {
    const fields = new Uint8Array(bytes)
    new DataView(fields.buffer).setUint32(0, index)
    return { cursor: index + 1, timeUs: (index * HOUR_US) / 20, device, fields }
  }
  const many = historyOf(Array.from({ length: 20_000 }, (_, index) => version(index, index === 19_000 ? 'other' : 'one', 8)))
  assert.ok(many.versions.length <= 256 + 32)
  assert.equal(
    many.versions.slice(-32).map(({ cursor }) => cursor),
    Array.from({ length: 32 }, (_, index) => 19_969 + index)
  )
  assert.ok(many.versions.some(({ cursor }) => cursor === 19_001))
  assert.ok(many.versions.some(({ cursor }) => cursor === 19_002))
  for (let count = 1; count <= 100; count++) {
    const large = historyOf(Array.from({ length: count }, (_, index) => version(index, 'one', 200_000)))
    assert.ok(large.versions.length <= 4, `${large.versions.length} large ones of ${count}`)
  }
})

test('however many large versions an annotation has had, few are held', async () => {
  const { core, phone, ask } = await scene()
  const doc = docOf(7)
  await ask(
    phone,
    'annotation.update',
    updateOf(doc, annotations => annotations.set('a', noteOf('x'.repeat(200_000))))
  )
  const account = (await core.hub.account('account1'))!
  for (let mark = 1; mark <= 60; mark++) {
    const toggle = updateOf(doc, annotations => (annotations.get('a') as Y.Map<unknown>).set('color', `${mark}`))
    await ask(phone, 'annotation.update', toggle)
    await ask(phone, mark % 2 === 1 ? 'annotation.remove' : 'annotation.restore', { id: 'a' })
    Y.applyUpdate(doc, account.documents.use('b').encode())
    assert.ok(account.documents.use('b').versions.foundBytes < 1_500_000)
  }
  const listed = await versionsOf(phone, [])
  assert.ok(listed.length >= 2 && listed.length <= 5, `${listed.length} versions`)
  assert.is(account.documents.versions('b', 'a').length, listed.length)
})

test('versions found twice, as after a crash, count once', () => {
  const found = Array.from({ length: 50 }, (_, index) => ({
    cursor: index + 1,
    timeUs: index * HOUR_US,
    device: 'one',
    fields: Uint8Array.of(index)
  }))
  assert.equal(historyOf(found.slice(0, 20), found.slice(10, 40), found), historyOf(found))
})

test('to look back at what is written as one value is spent, too', () => {
  const spent: number[] = []
  const document = Document.open('epoch', undefined, [], undefined, cost => void spent.push(cost))
  const many = Array.from({ length: 40_000 }, () => 1)
  const put = (fields: Record<string, unknown>): void =>
    void document.edit(doc => putAnnotation(doc, 'a', { note: 'n', ...fields }, 1), momentOf('@'))
  put({ extra: { many } })
  spent.length = 0
  document.edit(doc => markKnownAnnotation(doc, 'a', 2), momentOf('@'))
  assert.ok(
    spent.some(cost => cost >= 40_000 / 4),
    spent.join()
  )
})

test.run()
