import * as assert from 'uvu/assert'
import { HubError, type ActionBody, type Plain } from '../../../protocol/index.ts'
import type { Annotation, BookDescription } from '../../../server/annotations/annotation.ts'
import { mergeAnnotations, type Merged } from '../../../server/annotations/merge.ts'
import { takeBooks, type Taken } from '../../../server/annotations/take-books.ts'
import { wordsOf } from '../../../server/annotations/uris.ts'
import type { Account } from '../../../server/core/account.ts'
import { annotationIn } from '../../../server/core/documents/annotations.ts'
import { Origin } from '../../../server/core/origin.ts'
import { coreHub } from '../../util/core-hub.ts'
import type { ManualClock } from '../../util/manual-clock.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations/merge')

const IMPORTER = new Origin('hub', 'operator', 'operator')
const PERSON = new Origin('phone', '')

interface Scene {
  readonly account: Account
  readonly clock: ManualClock
  readonly merge: (annotations: readonly Annotation[]) => Promise<Merged>
  readonly take: (books: readonly BookDescription[], isAdding?: boolean) => Promise<Taken[]>
  readonly put: (book: string, body: ActionBody<'book.put'>) => Promise<number>
  readonly do: (kind: string, body: Plain, atMs?: number) => Promise<number>
  readonly held: (id: string) => Plain | undefined
}

async function scene(): Promise<Scene> {
  const { account: open, clock } = coreHub()
  const { account } = await open('phone')
  return {
    account,
    clock,
    merge: annotations => mergeAnnotations(account, IMPORTER, 'emma', annotations, () => clock.nowMs()),
    take: (books, isAdding = false) => takeBooks(account, IMPORTER, books, isAdding, clock),
    put: (book, body) => account.perform(PERSON, 'book.put', book, body),
    async do(kind, body, atMs) {
      await account.documents.load(new Set(['emma']))
      return account.perform(PERSON, kind, 'emma', body, atMs)
    },
    held: id => annotationIn(account.documents.use('emma').doc, id)
  }
}

const counts = ({ leftOut, ...rest }: Merged): object => ({ ...rest, leftOut: leftOut.length })
const none = { added: 0, changed: 0, same: 0, kept: 0, removed: 0, leftOut: 0 }

const MARK: Annotation = { id: 'a', kind: 'highlight', quote: 'q', note: 'n', createdAtMs: 1_000, updatedAtMs: 2_000 }

test('annotations come in with their own times, and a second time nothing is appended', async () => {
  const { merge, held, account } = await scene()
  const many = Array.from({ length: 100 }, (_, index): Annotation => ({ ...MARK, id: `m${index}` }))
  assert.equal(counts(await merge(many)), { ...none, added: 100 })
  const { head } = account
  assert.equal(held('m99'), { kind: 'highlight', quote: 'q', note: 'n', createdAtMs: 1_000, updatedAtMs: 2_000 })
  assert.equal(counts(await merge(many)), { ...none, same: 100 })
  assert.is(account.head, head)
})

test('what was removed stays removed, with what it was', async () => {
  const { merge, do: act, held } = await scene()
  await merge([MARK])
  await act('annotation.remove', { id: 'a' })
  const removed = held('a')
  assert.equal(counts(await merge([{ ...MARK, note: 'later', updatedAtMs: 1e15 }])), { ...none, removed: 1 })
  assert.equal(held('a'), removed)
})

test('a later change is taken, field by field; an earlier one, or one of the same time, never', async () => {
  const { merge, do: act, held } = await scene()
  await merge([MARK])
  await act('annotation.put', { id: 'a', color: 'red' }, 3_000)
  for (const updatedAtMs of [2_000, 3_000])
    assert.equal(counts(await merge([{ ...MARK, note: 'other', updatedAtMs }])), { ...none, kept: 1 })
  assert.equal(counts(await merge([{ id: 'a', note: 'other' }])), { ...none, kept: 1 }, 'without a time')
  const later = { ...MARK, note: 'other', updatedAtMs: 3_001 }
  assert.equal(counts(await merge([later])), { ...none, changed: 1 })
  assert.equal(held('a'), { kind: 'highlight', color: 'red', quote: 'q', note: 'other', createdAtMs: 1_000, updatedAtMs: 3_001 })
  assert.equal(counts(await merge([later])), { ...none, same: 1 })
})

test('typing that moved no time is not undone by the file that it came from', async () => {
  const { merge, do: act, held } = await scene()
  await merge([MARK])
  // An editor for Yjs knows nothing of updatedAtMs: what it types leaves the time as it was.
  await act('annotation.put', { id: 'a', note: 'n, typed on' }, 2_000)
  assert.equal(counts(await merge([MARK])), { ...none, kept: 1 })
  assert.is((held('a') as { note: string }).note, 'n, typed on')
})

test('an edit of a file for people is taken if it was made of what is here', async () => {
  const { merge, do: act, held } = await scene()
  await merge([MARK])
  const base = wordsOf(MARK)
  assert.equal(counts(await merge([{ ...MARK, base }])), { ...none, same: 1 }, 'not edited')
  assert.equal(counts(await merge([{ ...MARK, note: 'edited', base }])), { ...none, changed: 1 })
  assert.equal(counts(await merge([{ ...MARK, note: 'edited', base }])), { ...none, same: 1 })
  assert.equal(counts(await merge([{ ...MARK, base }])), { ...none, kept: 1 }, 'the file of before')
  await act('annotation.put', { id: 'a', note: 'edited here, too' })
  assert.equal(counts(await merge([{ ...MARK, note: 'edited again', base: wordsOf({ quote: 'q', note: 'edited' }) }])), {
    ...none,
    kept: 1
  })
  assert.is((held('a') as { note: string }).note, 'edited here, too')
  const { note: _, ...noteless } = MARK
  assert.equal(counts(await merge([{ ...noteless, base: wordsOf({ quote: 'q', note: 'edited here, too' }) }])), {
    ...none,
    changed: 1
  })
  assert.is((held('a') as { note: string }).note, '', 'a note that a person took out is gone')
})

test('one that cannot be kept is left out by name; what concerns all ends the import', async () => {
  const { merge, account } = await scene()
  const deep: Plain = Array.from({ length: 20 }).reduce<Plain>(inner => [inner], 1)
  const merged = await merge([{ ...MARK, id: 'deep', extra: { deep } }, { ...MARK, id: '' }, MARK])
  assert.equal(counts(merged), { ...none, added: 1, leftOut: 2 })
  assert.equal(
    merged.leftOut.map(({ id }) => id),
    ['deep', '']
  )
  const perform = account.perform.bind(account)
  account.perform = async () => {
    throw new HubError('quota-exceeded')
  }
  let error: unknown
  await merge([{ ...MARK, id: 'b' }]).catch((thrown: unknown) => (error = thrown))
  assert.is((error as HubError).code, 'quota-exceeded')
  account.perform = perform
})

const about = (fields: BookDescription['fields'], more: Partial<BookDescription> = {}): BookDescription => ({
  identifiers: [],
  fields,
  ...more
})

test('books are found by id, by identifier, by title and author', async () => {
  const { take, put } = await scene()
  await put('emma', {
    title: 'Emma',
    subtitle: 'A Novel',
    authors: ['Jane Austen'],
    identifiers: { 'isbn:9780141439587': 'epub' }
  })
  await put('cafe', { title: 'Le Café', authors: ['Émile Zola'] })
  await put('other', { title: 'Emma', authors: ['Somebody Else'] })
  await put('gone', { title: 'Gone', identifiers: { 'isbn:1': 'x' } })
  const found = await take([
    about({}, { id: 'emma' }),
    about({ title: 'whatever' }, { identifiers: ['isbn:9780141439587'] }),
    about({ title: 'EMMA', authors: ['Austen, Jane'] }),
    about({ title: 'Emma: A Novel' }),
    about({ title: 'le cafe' }),
    about({ title: 'Emma' }),
    about({ title: 'Emma', authors: ['Nobody'] }),
    about({}),
    about({ title: '!' })
  ])
  const book = (id: string): Taken => ({ outcome: 'found', book: id })
  assert.equal(found, [
    book('emma'),
    book('emma'),
    book('emma'),
    book('emma'),
    book('cafe'),
    { outcome: 'several', books: ['emma', 'other'] },
    { outcome: 'none' },
    { outcome: 'none' },
    { outcome: 'none' }
  ])
})

test('a removed book stays removed, and is no place for annotations', async () => {
  const { take, put, account } = await scene()
  await put('emma', { title: 'Emma' })
  await account.perform(PERSON, 'book.remove', 'emma', {})
  const { head } = account
  assert.equal(await take([about({ title: 'Emma' }, { id: 'emma', isRecord: true })], true), [{ outcome: 'removed' }])
  assert.is(account.head, head)
})

test('of two books of one identifier the one that is there is meant, whichever of them was removed', async () => {
  for (const gone of ['one', 'other']) {
    const { take, put, account } = await scene()
    for (const book of ['one', 'other']) await put(book, { title: book, identifiers: { 'koreader:1': 'x' } })
    await account.perform(PERSON, 'book.remove', gone, {})
    const there = { outcome: 'found', book: gone === 'one' ? 'other' : 'one' }
    const wanted = [about({}, { identifiers: ['koreader:1'] }), about({}, { id: gone, identifiers: ['koreader:1'] })]
    assert.equal(await take(wanted), [there, there], gone)
    await account.perform(PERSON, 'book.remove', there.book, {})
    assert.equal(await take(wanted), [{ outcome: 'removed' }, { outcome: 'removed' }], gone)
  }
})

test('a book that is lacking is made when asked for, once', async () => {
  const { take, account } = await scene()
  const wanted = [
    about({ title: 'Emma', authors: ['Jane Austen'] }, { identifiers: ['isbn:9780141439587'] }),
    about({ title: 'Dracula' })
  ]
  assert.equal(await take(wanted), [{ outcome: 'none' }, { outcome: 'none' }])
  const made = await take(wanted, true)
  assert.equal(
    made.map(({ outcome }) => outcome),
    ['made', 'made']
  )
  const { head } = account
  assert.equal(
    (await take(wanted, true)).map(({ outcome }) => outcome),
    ['found', 'found']
  )
  assert.is(account.head, head)
  assert.equal(account.views.get('books', (made[0] as { book: string }).book)?.identifiers, { 'isbn:9780141439587': 'import' })
})

test('a record brings what a book lacks, and a place only if no device was anywhere later', async () => {
  const { take, put, account, do: act } = await scene()
  await put('emma', { title: 'My Emma' })
  const record = (progression: number, atMs: number): BookDescription =>
    about({ title: 'Emma', language: 'en' }, { id: 'emma', isRecord: true, position: { progression, atMs, device: 'Kobo' } })
  assert.equal(await take([record(0.4, 5_000)]), [{ outcome: 'changed', book: 'emma' }])
  assert.equal(account.views.get('books', 'emma')?.fields, { title: 'My Emma', language: 'en' })
  const place = (): unknown => account.views.get('positions', 'emma', 'hub')?.fields
  assert.equal(place(), { progression: 0.4, extra: { importedFrom: 'Kobo' } })
  const { head } = account
  assert.equal(await take([record(0.4, 5_000)]), [{ outcome: 'found', book: 'emma' }])
  assert.is(account.head, head)
  await act('position.set', { progression: 0.5 }, 9_000)
  await take([record(0.9, 8_999)])
  assert.equal(place(), { progression: 0.4, extra: { importedFrom: 'Kobo' } })
  await take([record(0.9, 9_001)])
  assert.equal(place(), { progression: 0.9, extra: { importedFrom: 'Kobo' } })
})

test.run()
