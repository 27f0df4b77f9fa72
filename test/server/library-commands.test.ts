import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import type { Plain } from '../../protocol/index.ts'
import type { Call } from '../../server/cli.ts'
import { callControl } from '../../server/control.ts'
import type { Account } from '../../server/core/account.ts'
import { Origin } from '../../server/core/origin.ts'
import { exportBooks } from '../../server/export-annotations.ts'
import { importAnnotations, type Imported } from '../../server/import-annotations.ts'
import { temporaryFolder } from '../util/folder.ts'
import { lectern, type Ran } from '../util/lectern.ts'
import { register, servingHub, type TestServingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'

const test = suite('server/library-commands')

const SIDECAR = fileURLToPath(new URL('annotations/samples/metadata.epub.lua', import.meta.url))
const PERSON = new Origin('phone', '')

interface Scene {
  readonly hub: TestServingHub
  readonly account: Account
  readonly token: string
  readonly folder: string
  readonly run: (...words: string[]) => Promise<Ran>
  /** `lectern import`, without a process of its own. */
  readonly take: (path: string, given?: { account?: string; book?: string; isAdding?: boolean }) => Promise<Imported>
  readonly act: (kind: string, book: string, body: Plain, atMs?: number) => Promise<number>
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>
}

const callOf = ({ dataFolder }: TestServingHub): Call => {
  return async (name, given) => (await callControl(dataFolder, name, given))!.result
}

/** A hub with the book that the sidecar is of. */
async function scene(context: TestContext): Promise<Scene> {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const { token } = await register(account, 'phone')
  const act: Scene['act'] = async (kind, book, body, atMs) => {
    await account.documents.load(new Set([book]))
    return account.perform(PERSON, kind, book, body, atMs)
  }
  await act('book.put', 'emma', {
    title: 'Emma',
    authors: ['Jane Austen'],
    identifiers: { 'koreader:59d481d168cca6267322f150c5f6a2a3': 'import' }
  })
  return {
    hub,
    account,
    token,
    act,
    folder: temporaryFolder(context),
    run: (...words) => lectern(words, { env: { LECTERN_DATA_FOLDER: hub.dataFolder, LECTERN_LOG_LEVEL: 'error' } }),
    take: (path, { account: name = 'ada', book, isAdding = false } = {}) =>
      importAnnotations(callOf(hub), path, { account: name, book, isAdding }),
    get: (path, headers = {}) =>
      fetch(`${hub.url}/api/v1/books/${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } })
  }
}

test('annotations go in and out, with a hub that runs and without one; a second import appends nothing', async context => {
  const { hub, account, run, take, folder, act } = await scene(context)
  const first = await run('import', SIDECAR)
  assert.equal([first.code, first.err], [0, ''])
  assert.match(
    first.out,
    /^kind=koreader {2}books=1 {2}added=3 {2}changed=0 {2}same=0 {2}kept=0 {2}removed=0 {2}leftOut=0\nbook=emma {2}title=Emma {2}added=3/
  )
  const { head } = account
  const none = { kind: 'koreader', books: 1, added: 0, changed: 0, same: 0, kept: 0, removed: 0, leftOut: 0 }
  assert.equal((await take(SIDECAR)).total, { ...none, same: 3 })
  assert.is(account.head, head)
  const [[id]] = (await fetchItems(hub, account)) as [[string]]
  await act('annotation.remove', 'emma', { id })
  assert.equal((await take(SIDECAR)).total, { ...none, same: 2, removed: 1 })

  const out = join(folder, 'notes')
  const exported = await run('export', '--format', 'markdown', '--out', out)
  const [name] = readdirSync(out)
  assert.match(name!, /^Emma [0-9a-f]{8}\.md$/)
  assert.is(exported.out, `book=emma  file=${join(out, name!)}\n`)
  const twice = await run('export', '--format', 'markdown', '--out', out)
  assert.equal([twice.code, twice.out], [1, `LEFT OUT: ${join(out, name!)} is there; replace it with --overwrite\n`])
  const again = { account: 'ada', format: 'markdown', folder: out, isReplacing: false } as const
  const there = { rows: [], leftOut: [`${join(out, name!)} is there; replace it with --overwrite`] }
  assert.equal(await exportBooks(callOf(hub), again), there)

  await hub.close()
  const edited = readFileSync(join(out, name!), 'utf8').replace('> boxed\n', '> boxed\n\nwhat a person added\n')
  writeFileSync(join(out, name!), edited)
  assert.match((await run('import', join(out, name!))).out, /^kind=markdown {2}books=1 {2}added=0 {2}changed=1 {2}same=1/)
  const stored = await run('export', '--book', 'emma', '--format', 'readium')
  assert.match(stored.out, /"what a person added"/)
  assert.not.match(stored.out, id)
})

test('annotations of a book that no app has told of yet are written, too', async context => {
  const { act, run, folder } = await scene(context)
  await act('annotation.put', 'epub-77', { id: 'a', quote: 'heard of before its book' })
  const all = join(folder, 'all')
  assert.match((await run('export', '--out', all, '--format', 'markdown')).out, /book=epub-77 /)
  const files = readdirSync(all).map(name => readFileSync(join(all, name), 'utf8'))
  assert.is(files.filter(text => text.includes('heard of before its book')).length, 1)
  const { code, out } = await run('export', '--book', 'epub-77', '--format', 'markdown')
  assert.is(code, 0)
  assert.match(out, /^---\nlectern: annotations\nbook: "epub-77"\n[^]*> heard of before its book\n/)
  const unknown = await run('export', '--book', 'epub-78')
  assert.equal([unknown.code, unknown.err], [2, 'lectern: there is no book epub-78\n'])
})

/** The annotations of the book, as they stand. */
async function fetchItems({ hub }: TestServingHub, { id }: Account): Promise<unknown[]> {
  const account = await hub.ensureAccount(id)
  await account.documents.load(new Set(['emma']))
  const { doc } = account.documents.use('emma')
  return [...doc.getMap('annotations').keys()].map(key => [key])
}

test('what goes wrong is said, and changes nothing', async context => {
  const { account, run, take, folder } = await scene(context)
  const { head } = account
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const set = (about: object): string =>
    JSON.stringify({ type: 'AnnotationSet', about, items: [{ type: 'Annotation', id: 'a', target: { source: 'x' } }] })
  const [unknown, broken, stranger] = [
    file('a.ann', set({ 'dc:title': 'Dracula' })),
    file('b.lua', 'return {\n x = os.exit() }'),
    file('c.txt', 'hello')
  ]
  const clippings = file(
    'd.txt',
    'Emma (Austen)\n- Your Highlight on page 1\n\nq\n==========\nDracula\n- Your Highlight on page 1\n\nq\n==========\n'
  )
  const refused: [work: () => Promise<unknown>, words: RegExp][] = [
    [() => take(broken), /b\.lua: line 2: expected a value/],
    [() => take(stranger), /c\.txt: it is of no kind that is known: an EPUB, annotations as W3C/],
    [() => take(unknown, { book: 'nobody' }), /there is no book nobody/],
    [() => take(clippings, { book: 'emma' }), /d\.txt is about 2 books; --book is for files about one/],
    [() => take(unknown, { account: 'nobody' }), /nobody/]
  ]
  for (const [work, words] of refused) {
    let error: unknown
    await work().catch((thrown: unknown) => (error = thrown))
    assert.match(String((error as Error | undefined)?.message), words)
  }
  const ran = await Promise.all([run('import', unknown), run('export'), run('export', '--format', 'pdf', '--book', 'emma')])
  const said: [code: number, words: RegExp][] = [
    [1, /LEFT OUT: "Dracula" \(1 annotation\): there is no such book here; import its file first, say which it is with --book/],
    [2, /say which book with --book, or into which folder with --out/],
    [2, /Allowed choices are w3c, readium, markdown/]
  ]
  for (const [index, [code, words]] of said.entries()) {
    assert.is(ran[index]!.code, code, ran[index]!.err)
    assert.match(ran[index]!.out + ran[index]!.err, words)
  }
  assert.is(account.head, head)
  assert.is(((await take(unknown, { isAdding: true })).total as { added: number }).added, 1)
})

test('over HTTP a book is given in each form, by the header or by the address, page by page', async context => {
  const { get, act, account } = await scene(context)
  for (let index = 0; index < 60; index++)
    await act('annotation.put', 'emma', {
      id: `m${String(index).padStart(2, '0')}`,
      quote: 'q',
      note: 'x'.repeat(20_000),
      locators: { cfi: `epubcfi(/6/${60 - index})` }
    })
  await act('annotation.remove', 'emma', { id: 'm00' })
  const forms: [path: string, headers: Record<string, string>, type: string][] = [
    ['emma/annotations', {}, 'application/ld+json; profile="http://www.w3.org/ns/anno.jsonld"'],
    [
      'emma/annotations',
      { accept: 'text/html, application/rd-annotations+json;q=0.9, */*;q=0.1' },
      'application/rd-annotations+json'
    ],
    ['emma/annotations', { accept: 'text/markdown' }, 'text/markdown; charset=utf-8'],
    ['emma/annotations?format=readium', { accept: 'text/markdown' }, 'application/rd-annotations+json']
  ]
  for (const [path, headers, type] of forms) {
    const response = await get(path, headers)
    assert.equal([response.status, response.headers.get('content-type')], [200, type])
    const text = await response.text()
    assert.is(text.match(/x{20000}/g)?.length, 59, type)
    assert.not.match(text, 'm00')
  }
  const { total, first } = (await (await get('emma/annotations')).json()) as { total: number; first: { items: { id: string }[] } }
  assert.equal([total, first.items[0]!.id], [59, 'urn:lectern:annotation:m01'])
  const markdown = await (await get('emma/annotations?format=markdown')).text()
  assert.match(markdown, /^---\nlectern: annotations\nbook: "emma"\n[^]*?"id":"m59"/)
  const head = await fetch((await get('emma/annotations')).url, { method: 'HEAD' })
  assert.is(head.status, 401)
  const { head: cursor } = account
  for (const [path, status, field] of [
    ['emma/annotations?format=pdf', 400, 'format'],
    ['nobody/annotations', 404, undefined],
    [`${'x'.repeat(129)}/annotations`, 400, 'book']
  ] as const) {
    const response = await get(path)
    assert.equal([response.status, ((await response.json()) as { field?: string }).field], [status, field], path)
  }
  assert.is(account.head, cursor)
})

test('a reader that goes away in the middle, or is slow, holds nothing up', async context => {
  const { get, act } = await scene(context)
  await act('annotation.put', 'emma', { id: 'a', quote: 'q' })
  // Each is answered, and its body left unread; then all are given up.
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 8 }, () => get('emma/annotations?format=markdown')))
    assert.equal(new Set(answers.map(({ status }) => status)).size, 1)
    await Promise.all(answers.map(({ body }) => body!.cancel()))
  }
  assert.is((await get('emma/annotations?format=markdown')).status, 200)
})

test.run()
