import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { decodeValue, encodeValue } from '../../../protocol/index.ts'
import { checkAccount } from '../../../server/core/check-account.ts'
import { fold } from '../../../server/core/fold.ts'
import { bookBy } from '../../../server/core/identifiers.ts'
import type { RecordWrite } from '../../../server/core/store.ts'
import { Views } from '../../../server/core/views.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/identifiers')

type Identifiers = Record<string, string | null>
type Put = [book: string, identifiers: Identifiers]

const put = (views: Views, [book, identifiers]: Put, cursor: number): void =>
  fold(
    views,
    {
      cursor,
      timeUs: cursor,
      device: 'd',
      client: '',
      number: 0,
      atMs: 0,
      kind: 'book.put',
      key: book,
      body: { identifiers }
    },
    0
  )

function folded(...puts: Put[]): Views {
  const views = new Views(new MemoryStore(), 'a')
  for (const [index, one] of puts.entries()) put(views, one, index + 1)
  return views
}

test('an identifier names the book that got it last, and an earlier one of the same book goes on naming it', () => {
  const views = folded(['b', { 'koreader:1': 'import' }], ['b', { 'koreader:2': 'import' }], ['c', { 'isbn:3': 'x' }])
  assert.equal(
    ['koreader:1', 'koreader:2', 'isbn:3', 'isbn:4', 'koreader'].map(identifier => bookBy(views, identifier)),
    ['b', 'b', 'c', undefined, undefined]
  )
  put(views, ['c', { 'koreader:1': 'user' }], 4)
  assert.equal([bookBy(views, 'koreader:1'), bookBy(views, 'koreader:2')], ['c', 'b'])
})

test('an identifier that is taken away names no book, unless it names another by then', () => {
  const views = folded(['b', { 'i:1': 'x', 'i:2': 'x' }], ['c', { 'i:2': 'x' }], ['b', { 'i:1': null, 'i:2': null, 'i:3': null }])
  assert.equal(
    ['i:1', 'i:2', 'i:3'].map(identifier => bookBy(views, identifier)),
    [undefined, 'c', undefined]
  )
  put(views, ['c', { 'i:1': 'x' }], 4)
  assert.is(bookBy(views, 'i:1'), 'c')
})

test('an identifier that no record can have for its key stays with the book, and finds nothing', () => {
  const names = ['', 'nul:\0', 'line:\n', `long:${'x'.repeat(200)}`]
  const views = folded(['b', Object.fromEntries(names.map(name => [name, 'x']))])
  assert.equal(Object.keys(views.get('books', 'b')!.identifiers), names)
  assert.equal(
    names.map(name => bookBy(views, name)),
    names.map(() => undefined)
  )
})

const somePut = fc.tuple(
  fc.constantFrom('b', 'c', 'd'),
  fc.dictionary(fc.constantFrom('i:1', 'i:2'), fc.constantFrom('x', null), { minKeys: 1 })
) as fc.Arbitrary<Put>

test('the rest of a log, folded once more over what all of it came to, gives each record that it names again: so a trimmed log can be checked', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(somePut, { minLength: 1, maxLength: 12 }), fc.nat(11), async (puts, from) => {
      const store = new MemoryStore()
      const isIdentifier = ({ key }: RecordWrite): boolean => key[1] === 'identifiers'
      const writes = folded(...puts)
        .takeWrites()
        .filter(isIdentifier)
      await store.commit({ appends: [], writes })
      const over = new Views(store, 'a')
      for (const [index, one] of puts.entries()) if (index >= from) put(over, one, index + 1)
      const again = new Map(over.takeWrites().filter(isIdentifier).map(({ key, value }) => [key.join(), decodeValue(value!)])) // prettier-ignore
      for (const { key, value } of writes) {
        const stored = decodeValue(value!) as { cursor: number }
        const isOfRest = stored.cursor > from
        if (isOfRest || again.has(key.join())) assert.equal(again.get(key.join()), stored)
      }
    }),
    { numRuns: 1_000 }
  )
})

test('a check names an identifier that leads to another book', async () => {
  const store = new MemoryStore()
  const core = coreHub({ store })
  const { account, devices } = await core.account('phone')
  const client = core.connect()
  await client.hello(devices['phone']!.token)
  for (const [index, book] of ['b', 'c'].entries())
    await client.ask(index + 1, 'book.put', book, { identifiers: { [`i:${book}`]: 'x' } })
  client.drop()
  await core.hub.close()
  const key = [account.id, 'identifiers', 'i:b']
  await store.commit({ appends: [], writes: [{ key, value: encodeValue({ book: 'c', cursor: 2 }) }] })
  const found: string[] = []
  await checkAccount(store, account.id, what => void found.push(what))
  assert.equal(found, ['the record identifiers/i:b is not what the log folds into'])
})

test.run()
