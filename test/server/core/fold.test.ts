import * as assert from 'uvu/assert'
import type { ChangeBody, ChangeKind } from '../../../protocol/index.ts'
import type { Change, Note } from '../../../server/core/change.ts'
import { fold } from '../../../server/core/fold.ts'
import { positionVersions } from '../../../server/core/position-history.ts'
import { Views } from '../../../server/core/views.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/fold')

/** Folds changes one after the other, each at the next cursor. */
function folding(): {
  views: Views
  add: <K extends ChangeKind>(kind: K, key: string, body: ChangeBody<K>, more?: Partial<Change>, note?: Note) => void
} {
  const views = new Views(new MemoryStore(), 'a')
  let cursor = 0
  return {
    views,
    add: (kind, key, body, more = {}, note = 0) => {
      cursor += 1
      const change = {
        cursor,
        timeUs: cursor * 1_000,
        device: 'd',
        client: 'tab',
        number: cursor,
        atMs: cursor,
        kind,
        key,
        body,
        ...more
      }
      fold(views, change, note)
    }
  }
}

test('fields of a book merge one by one: what is given replaces, nil clears, the rest stays', () => {
  const { views, add } = folding()
  add('book.put', 'b', { title: 'T', authors: ['A', 'B'], tags: ['x'], rating: 3 })
  add('book.put', 'b', { title: 'U', rating: null, status: { state: 'reading', startedAtMs: 5 } })
  add('book.put', 'b', { tags: [], status: { state: 'paused', startedAtMs: 5, pausedAtMs: 6 } })
  add('book.put', 'b', {})
  assert.equal(views.get('books', 'b'), {
    fields: { title: 'U', authors: ['A', 'B'], tags: [], status: { state: 'paused', startedAtMs: 5, pausedAtMs: 6 } },
    identifiers: {},
    removed: false,
    cursor: 4,
    changedAtUs: 4_000,
    createdAtUs: 1_000
  })
})

test('identifiers of a book are added one by one, replaced under their own name, and nil takes one away', () => {
  const { views, add } = folding()
  add('book.put', 'b', { identifiers: { 'isbn:1': 'epub', 'md5:x': 'koreader' } })
  add('book.put', 'b', { identifiers: { 'isbn:1': 'owner', 'sha:y': 'hub', 'md5:x': null } })
  add('book.put', 'b', { title: 'T' })
  assert.equal(views.get('books', 'b')?.identifiers, { 'isbn:1': 'owner', 'sha:y': 'hub' })
})

test('a removed book keeps everything, is put without coming back, and is restored', () => {
  const { views, add } = folding()
  add('book.put', 'b', { title: 'T', identifiers: { i: 'x' } })
  add('book.remove', 'b', {})
  add('book.put', 'b', { rating: 5 })
  const { cursor, ...removed } = views.get('books', 'b')!
  assert.equal([removed.fields, removed.identifiers, removed.removed, cursor], [{ title: 'T', rating: 5 }, { i: 'x' }, true, 3])
  add('book.restore', 'b', {})
  assert.is(views.get('books', 'b')?.removed, false)
})

test('each device has a position of its own in each book', () => {
  const { views, add } = folding()
  add('position.set', 'b', { progression: 0.1 }, { device: 'd1' })
  add('position.set', 'b', { progression: 0.2 }, { device: 'd2' })
  add('position.set', 'c', { progression: 0.3 }, { device: 'd1' })
  assert.equal(
    views.range('positions', ['b'], '', 9).map(([device, { fields }]) => [device, fields.progression]),
    [['d1', 0.1], ['d2', 0.2]] // prettier-ignore
  )
})

test('a place that another outbox of the device outran can be restored all the same', () => {
  const { views, add } = folding()
  add('position.set', 'b', { progression: 0.5 }, { client: 'tab1', atMs: 100 })
  add('position.set', 'b', { progression: 0.1 }, { client: 'tab2', atMs: 99 })
  assert.is(views.get('positions', 'b', 'd')?.fields.progression, 0.5)
  const versions = positionVersions(views.get('positionHistories', 'b', 'd'))
  assert.equal(
    versions.map(({ cursor, fields }) => [cursor, fields.progression]),
    [
      [1, 0.5],
      [2, 0.1]
    ]
  )
})

test('a stale tab of the same device does not move a position back; the same tab may, whatever its clock says', () => {
  const { views, add } = folding()
  const at = (): unknown => views.get('positions', 'b', 'd')?.fields.progression
  add('position.set', 'b', { progression: 0.5 }, { client: 'tab1', atMs: 100 })
  add('position.set', 'b', { progression: 0.1 }, { client: 'tab2', atMs: 99 })
  assert.is(at(), 0.5)
  add('position.set', 'b', { progression: 0.2 }, { client: 'tab2', atMs: 100 })
  assert.is(at(), 0.2)
  add('position.set', 'b', { progression: 0.1 }, { client: 'tab2', atMs: 1 })
  assert.is(at(), 0.1)
  add('position.set', 'b', { progression: 0.3 }, { client: 'tab1', atMs: 2 })
  assert.is(at(), 0.3)
})

test('a position replaces the last one whole', () => {
  const { views, add } = folding()
  add('position.set', 'b', { progression: 0.5, chapter: '1', locators: { cfi: 'x' } })
  add('position.set', 'b', { progression: 0.6 })
  assert.equal(views.get('positions', 'b', 'd'), {
    fields: { progression: 0.6 },
    client: 'tab',
    atMs: 2,
    cursor: 2,
    changedAtUs: 2_000
  })
})

test('the last put of a setting in the log counts, and nil clears it', () => {
  const { views, add } = folding()
  add('setting.put', 's', { value: { a: 1 } }, { atMs: 100 })
  add('setting.put', 's', { value: 2 }, { atMs: 1 })
  assert.equal(views.get('settings', 's'), { value: 2, cursor: 2, changedAtUs: 2_000 })
  add('setting.put', 's', { value: null })
  assert.is(views.get('settings', 's')?.value, null)
})

test('a device keeps its secret and its first day through changes of its description, and stays revoked', () => {
  const { views, add } = folding()
  const secretHash = Uint8Array.of(1, 2)
  add('device.put', 'd', { name: 'N', app: 'A', readOnly: false }, {}, { digest: 0, secretHash })
  add('device.revoke', 'd', {})
  add('device.put', 'd', { name: 'M', app: 'B', readOnly: true })
  add('device.revoke', 'unknown', {})
  assert.equal(views.get('devices', 'd'), {
    name: 'M',
    app: 'B',
    readOnly: true,
    secretHash,
    revoked: true,
    registeredAtUs: 1_000,
    cursor: 3
  })
  assert.is(views.get('devices', 'unknown'), undefined)
})

test('the updates of a document are remembered by their cursors', () => {
  const { views, add } = folding()
  add('annotation.update', 'b', Uint8Array.of(0, 0))
  add('annotation.update', 'c', Uint8Array.of(0, 0))
  add('annotation.update', 'b', Uint8Array.of(0, 0))
  assert.equal(
    [views.get('documents', 'b'), views.get('documents', 'c')],
    [
      { tail: [1, 3], changedAtUs: 3_000 },
      { tail: [2], changedAtUs: 2_000 }
    ]
  )
})

test.run()
