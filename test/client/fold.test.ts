import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import { foldBook, foldDevice, foldPosition, type Book, type Folded, type Position } from '../../client/fold.ts'
import type { ChangeBody, ChangeKind } from '../../protocol/index.ts'
import { fold } from '../../server/core/fold.ts'
import { Views } from '../../server/core/views.ts'
import { MemoryStore } from '../../server/storage/memory.ts'
import { suite } from '../util/suite.ts'

const test = suite('client/fold')

const small = fc.constantFrom(null, 1, 2)
const step = fc.record({
  kind: fc.constantFrom<ChangeKind>('book.put', 'book.put', 'book.remove', 'book.restore', 'position.set', 'position.set'),
  fields: fc.dictionary(fc.constantFrom('title', 'rating', 'chapter', 'progression'), small),
  identifiers: fc.option(fc.dictionary(fc.constantFrom('isbn:1', 'md5:2'), small)),
  device: fc.constantFrom('phone', 'laptop'),
  client: fc.constantFrom('tab-1', 'tab-2'),
  atMs: fc.nat({ max: 5 })
})

/** Without what is nil: a client does not keep it. */
const given = (fields: object): object => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))

test('a client folds books and positions as the hub does', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), steps => {
      const views = new Views(new MemoryStore(), 'a')
      let book: Book | undefined
      let positions: ReadonlyMap<string, Position> | undefined
      for (const [index, { kind, fields, identifiers, ...origin }] of steps.entries()) {
        const body = { ...fields, ...(kind === 'book.put' && identifiers && { identifiers }) } as ChangeBody<ChangeKind>
        const change = { ...origin, cursor: index + 1, kind, key: 'b', body }
        fold(views, { ...change, timeUs: change.cursor * 1_000, number: 1 }, 0)
        const folded = { ...change, timeMs: change.cursor } as Folded
        if (kind === 'position.set') positions = foldPosition(positions, folded)
        else book = foldBook(book, folded)
      }
      const held = views.get('books', 'b')
      assert.equal(
        book,
        held && {
          ...held.fields,
          identifiers: held.identifiers,
          removed: held.removed,
          id: 'b',
          changedAtMs: held.changedAtUs / 1_000
        }
      )
      for (const device of ['phone', 'laptop']) {
        const record = views.get('positions', 'b', device)
        const { client, atMs, cursor } = record ?? {}
        assert.equal(positions?.get(device), record && { ...given(record.fields), device, client, atMs, cursor })
      }
    }),
    { seed: 7 }
  )
})

test('a device is disabled until it is put without that, and revoked for good', () => {
  const folded = (kind: ChangeKind, body: ChangeBody<ChangeKind>): Folded => ({
    cursor: 1,
    timeMs: 1,
    device: 'd',
    client: '',
    atMs: 1,
    kind,
    key: 'd',
    body
  })
  const about = { name: 'n', app: 'a', readOnly: false }
  const disabled = foldDevice(undefined, folded('device.put', { ...about, disabled: true }))
  assert.equal(disabled, { id: 'd', ...about, disabled: true, revoked: false })
  const enabled = foldDevice(disabled, folded('device.put', about))
  assert.equal(enabled, { id: 'd', ...about, disabled: false, revoked: false })
  const revoked = foldDevice(enabled, folded('device.revoke', {}))
  assert.equal(foldDevice(revoked, folded('device.put', about)), { id: 'd', ...about, disabled: false, revoked: true })
})

test.run()
