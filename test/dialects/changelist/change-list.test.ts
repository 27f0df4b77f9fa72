import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { Plain } from '../../../protocol/index.ts'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { holdContent } from '../../../server/core/files/contents.ts'
import { Origin } from '../../../server/core/origin.ts'
import { Random } from '../../util/random.ts'
import { register } from '../../util/serving-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { changeListXml, envelope, ownService, SOAP_11, textIn, type Service } from './service.ts'

const test = suite('dialects/changelist/change-list')

const shaOf = (text: string): string => createHash('sha256').update(text).digest('hex')
const WORDS = ['one', 'two', 'three', 'four', 'five']
const CONTENTS = new Map(WORDS.map(word => [word, { sha256: shaOf(word), sizeBytes: word.length }]))

/** A file or a folder as a list tells of it. */
interface Told {
  readonly id: number
  readonly path: string
  readonly code: number
  readonly at: string
  /** Of a file. */
  readonly name?: string
  readonly parent?: number
  readonly size?: number
  readonly checksum?: string
}

interface List {
  readonly headerChanged: boolean
  readonly files: readonly Told[]
  readonly folders: readonly Told[]
  readonly end: string
  readonly isFull: boolean
}

const field = (xml: string, name: string): string => textIn(xml, name).replaceAll('&amp;', '&')

function readList(xml: string): List {
  const items = (name: string): string[] =>
    [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'g'))].map(([, item]) => item!)
  const told = (item: string): Told => ({
    id: Number(field(item, 'ItemId')),
    path: field(item, 'Path'),
    code: Number(field(item, 'ActionCode')),
    at: field(item, 'LastEventDate')
  })
  return {
    headerChanged: textIn(xml, 'HeaderChanged') === 'true',
    files: items('ChangeFileItem').map(item => ({
      ...told(item),
      name: field(item, 'Name'),
      parent: Number(field(item, 'ParentFolderID')),
      size: Number(field(item, 'Size')),
      checksum: field(item, 'Checksum')
    })),
    folders: items('ChangeItem').map(told),
    end: textIn(xml, 'SyncEndDate'),
    isFull: textIn(xml, 'FullSync') === 'true'
  }
}

interface Shelf {
  readonly own: Awaited<ReturnType<typeof ownService>>
  /** Asks for an action on a path. */
  readonly ask: (kind: string, path: string, body?: Plain) => Promise<number>
  readonly put: (path: string, word: string, base?: string) => Promise<number>
  /** What changed since a time, with further parameters. */
  readonly since: (date: string, more?: string) => Promise<List>
}

/** An account that holds five contents, and no file. */
async function shelf(context: TestContext): Promise<Shelf> {
  const own = await ownService(context)
  for (const { sha256, sizeBytes } of CONTENTS.values()) await holdContent(own.account, 'phone', sha256, sizeBytes)
  const ask = (kind: string, path: string, body: Plain = {}): Promise<number> =>
    own.account.perform(new Origin('phone', ''), kind, path, body)
  return {
    own,
    ask,
    put: (path, word, base) =>
      ask('file.put', path, { ...CONTENTS.get(word)!, ...(base !== undefined && { base: shaOf(base) }) }),
    async since(date, more = '') {
      const { status, text } = await own.list(`<LocalDate>${date}</LocalDate>${more}`)
      assert.is(status, 200, text)
      return readList(text)
    }
  }
}

const BEGINNING = '0001-01-01T00:00:00'
const codes = (items: readonly Told[]): Record<string, number> => Object.fromEntries(items.map(({ path, code }) => [path, code]))

test('the first list tells all that is there, as created, and of nothing that was', async context => {
  const { put, ask, since } = await shelf(context)
  await put('Austen/Emma & more.epub', 'one')
  await put('Austen/Letters/1.txt', 'two')
  await put('top.txt', 'three')
  await put('gone/x.txt', 'four')
  await ask('file.remove', 'gone/x.txt', { base: shaOf('four') })
  const list = await since(BEGINNING)
  assert.equal([list.isFull, list.headerChanged], [true, true])
  assert.equal(codes(list.files), { 'Austen/Emma & more.epub': 1, 'Austen/Letters/1.txt': 1, 'top.txt': 1 })
  assert.equal(codes(list.folders), { Austen: 1, 'Austen/Letters': 1 })
  const folders = new Map(list.folders.map(({ path, id }) => [path, id]))
  for (const { path, name, parent, size, checksum } of list.files) {
    const [folder, last] = path.includes('/') ? /^(.*)\/(.*)$/.exec(path)!.slice(1) : ['', path]
    assert.equal([name, parent], [last, folder === '' ? 0 : folders.get(folder!)])
    const word = path === 'top.txt' ? 'three' : name === '1.txt' ? 'two' : 'one'
    assert.equal([size, checksum], [word.length, shaOf(word)])
  }
  const ids = [...list.files, ...list.folders].map(({ id }) => id)
  assert.is(new Set(ids).size, ids.length)
  for (const id of ids) assert.ok(Number.isInteger(id) && id > 0 && id < 2 ** 31)
})

test('the next list tells what was created, modified, deleted and renamed since, and that nothing else was', async context => {
  const { put, ask, since } = await shelf(context)
  for (const name of ['stays', 'changes', 'goes', 'moves']) await put(`a/${name}`, 'one')
  const first = await since(BEGINNING)
  assert.equal(await since(first.end), { headerChanged: false, files: [], folders: [], end: first.end, isFull: false })
  await put('a/comes', 'two')
  await put('a/changes', 'two', 'one')
  await ask('file.remove', 'a/goes', { base: shaOf('one') })
  await ask('file.move', 'a/moves', { to: 'b/moved', base: shaOf('one') })
  const second = await since(first.end)
  assert.equal(codes(second.files), { 'a/comes': 1, 'a/changes': 2, 'a/goes': 3, 'b/moved': 4 })
  assert.equal(codes(second.folders), { b: 1 })
  assert.is(second.isFull, false)
  const idOf = (list: List, path: string): number => list.files.find(file => file.path === path)!.id
  assert.is(idOf(second, 'b/moved'), idOf(first, 'a/moves'))
  assert.is(idOf(second, 'a/goes'), idOf(first, 'a/goes'))
  assert.equal((await since(second.end)).files, [])
})

test('what happened to a file since, however often, is one code', async context => {
  const { put, ask, since } = await shelf(context)
  await put('old', 'one')
  const { end } = await since(BEGINNING)
  await put('new', 'one')
  await put('new', 'two', 'one')
  await ask('file.move', 'new', { to: 'newer', base: shaOf('two') })
  await put('old', 'two', 'one')
  await ask('file.move', 'old', { to: 'older', base: shaOf('two') })
  await put('older', 'three', 'two')
  assert.equal(codes((await since(end)).files), { newer: 1, older: 4 })
})

test('a file whose place was taken after it moved and went is told to be gone', async context => {
  const { put, ask, since } = await shelf(context)
  await put('a', 'one')
  await put('c', 'two')
  const first = await since(BEGINNING)
  await ask('file.move', 'a', { to: 'b', base: shaOf('one') })
  await ask('file.remove', 'b', { base: shaOf('one') })
  await ask('file.move', 'c', { to: 'b', base: shaOf('two') })
  assert.equal(codes((await since(first.end)).files), { a: 3, b: 4 })
})

test('a file that moved on before its place was taken is not told to be gone', async context => {
  const { put, ask, since } = await shelf(context)
  await put('z', 'one')
  const { end } = await since(BEGINNING)
  await ask('file.move', 'z', { to: 'm', base: shaOf('one') })
  await ask('file.move', 'm', { to: 'a', base: shaOf('one') })
  await put('m', 'two')
  assert.equal(codes((await since(end)).files), { a: 4, m: 1 })
})

test('files, folders or both are told', async context => {
  const { put, since } = await shelf(context)
  await put('a/x', 'one')
  const counts = async (kind: number): Promise<number[]> => {
    const { files, folders } = await since(BEGINNING, `<ChangeType>${kind}</ChangeType>`)
    return [files.length, folders.length]
  }
  assert.equal(await Promise.all([0, 1, 2, 3].map(counts)), [[1, 1], [1, 0], [0, 1], [1, 1]]) // prettier-ignore
})

test('exceptions leave out the files and the folders that they name, and nothing else', async context => {
  const { put, since } = await shelf(context)
  for (const path of ['a/x', 'a/y', 'b/x']) await put(path, 'one')
  const { files, folders } = await since(BEGINNING)
  const except = (list: string, ids: readonly (number | string)[]): string =>
    `<${list}ExceptionList>${ids.map(id => `<long>${id}</long>`).join('')}</${list}ExceptionList>`
  const fewer = await since(BEGINNING, except('File', [files[1]!.id, '9007199254740993']) + except('Folder', [folders[0]!.id]))
  assert.equal(Object.keys(codes(fewer.files)), ['a/x', 'b/x'])
  assert.equal(Object.keys(codes(fewer.folders)), ['b'])
  const crossed = await since(BEGINNING, except('Folder', [files[0]!.id]) + except('File', [folders[0]!.id]))
  assert.equal([crossed.files.length, crossed.folders.length], [3, 2])
})

test('the header changes when a folder at the top comes or goes, and then only', async context => {
  const { put, ask, since } = await shelf(context)
  await put('a/x', 'one')
  const next = async (): Promise<boolean> => {
    const list = await since(end)
    end = list.end
    return list.headerChanged
  }
  let { end } = await since(BEGINNING)
  await put('a/b/x', 'one')
  assert.is(await next(), false)
  await put('c/x', 'one')
  assert.is(await next(), true)
  await put('top', 'one')
  assert.is(await next(), false)
  await ask('file.remove', 'c/x', { base: shaOf('one') })
  assert.is(await next(), true)
  assert.is(await next(), false)
})

test('a client from before the oldest change that is kept begins anew; one from behind it does not', async context => {
  const { own, put, ask, since } = await shelf(context)
  await put('a/x', 'one')
  await put('gone', 'one')
  const old = await since(BEGINNING)
  await ask('file.remove', 'gone', { base: shaOf('one') })
  for (let count = 0; count < 4_000; count++) void ask('setting.put', 's', { value: count })
  await ask('setting.put', 's', { value: 'last' })
  const late = await since(old.end)
  assert.equal([late.isFull, codes(late.files)], [false, { gone: 3 }])
  await own.own.hub.compact(own.account.id)
  assert.ok(own.account.floor > 1)
  const anew = await since(old.end)
  assert.equal([anew.isFull, anew.headerChanged, codes(anew.files)], [true, true, { 'a/x': 1 }])
  assert.equal([(await since(late.end)).isFull, (await since(late.end)).files], [false, []])
})

/** A client that does as the README says. */
class Mirror {
  readonly items = new Map<number, { readonly path: string; readonly checksum: string | undefined }>()

  take({ isFull, files, folders }: List): void {
    if (isFull) this.items.clear()
    for (const { id, path, code, checksum } of [...files, ...folders]) {
      for (const [known, item] of this.items)
        if (known === id || (item.path === path && (item.checksum === undefined) === (checksum === undefined)))
          this.items.delete(known)
      if (code !== 3) this.items.set(id, { path, checksum })
    }
  }

  get files(): Record<string, string> {
    const files = [...this.items.values()].filter(({ checksum }) => checksum !== undefined)
    return Object.fromEntries(files.map(({ path, checksum }) => [path, checksum!]))
  }

  get folders(): string[] {
    return [...this.items.values()]
      .filter(({ checksum }) => checksum === undefined)
      .map(({ path }) => path)
      .sort()
  }
}

test('beside a stream of changes, lists one after another skip nothing and tell nothing twice', async context => {
  const { own, ask, put, since } = await shelf(context)
  const random = new Random(Number(process.env['LECTERN_SEED'] ?? 7))
  const folders = ['', 'a/', 'b/', 'b/c/', 'd/e/f/']
  const anyPath = (): string => `${random.pick(folders)}${random.below(400)}`
  const files = (): [string, string][] =>
    own.account.views
      .range('files', [], '', 10_000)
      .filter(([, { removed }]) => !removed)
      .map(([path, { content }]) => [path, content.sha256])
  let known: [string, string][] = []
  const change = async (count: number): Promise<unknown> => {
    // What is out of date is refused.
    if (count % 20 === 0) known = files()
    const [path, base] = known.length === 0 ? ['', ''] : random.pick(known)
    const kind = random.next()
    if (known.length < 50 || kind < 0.4) return put(anyPath(), random.pick(WORDS))
    if (kind < 0.6) return ask('file.put', path, { ...CONTENTS.get(random.pick(WORDS))!, base })
    return kind < 0.8 ? ask('file.remove', path, { base }) : ask('file.move', path, { to: anyPath(), base })
  }
  // Enough for a list to take several turns.
  for (let count = 0; count < 800; count++) void put(`a/${count}`, 'one')
  await own.account.settled()
  let isOver = false
  const stream = (async () => {
    for (let count = 0; count < 600; count++) await change(count).catch(() => undefined)
    isOver = true
  })()

  const mirror = new Mirror()
  const seen = new Set<string>()
  let lists = 0
  let told = 0
  let date = BEGINNING
  for (let isLast = false; !isLast; lists += 1) {
    isLast = isOver
    const list = await since(date)
    for (const [kind, items] of Object.entries({ file: list.files, folder: list.folders }))
      for (const { id, at, code } of items) {
        const event = `${kind} ${id} ${at} ${code}`
        assert.not(seen.has(event), `told twice: ${event}`)
        seen.add(event)
        told += 1
        assert.ok(isWithin(at, list.isFull ? BEGINNING : date, list.end), `${event} is not between ${date} and ${list.end}`)
      }
    mirror.take(list)
    date = list.end
  }
  await stream
  assert.equal(mirror.files, Object.fromEntries(files()))
  const there = own.account.views.range('folders', [], '', 1_000).filter(([, { entries }]) => entries > 0)
  assert.equal(mirror.folders, there.map(([path]) => path).sort())
  assert.ok(lists > 3, `${lists} lists`)
  process.stdout.write(`FIGURE: ${told} changes told by ${lists} lists, each once\n`)
})

/** Dates as text compare when their fractions are of one length. */
function isWithin(at: string, after: string, until: string): boolean {
  const [low, middle, high] = [after, at, until].map(date => {
    const [seconds, fraction = ''] = date.replace('Z', '').split('.')
    return `${seconds}.${fraction.padEnd(7, '0')}`
  })
  return low! < middle! && middle! <= high!
}

test('a list looks at what changed since, and at every file only when too much did', async context => {
  const { own, put, ask, since } = await shelf(context)
  for (let count = 0; count < 300; count++) void put(`a/${count}`, 'one')
  const { end } = await since(BEGINNING)
  const { views } = own.account
  const range = views.range.bind(views)
  let pages = 0
  views.range = ((table: 'files', ...rest: [readonly string[], string, number]) => {
    if (table === 'files') pages += 1
    return range(table, ...rest)
  }) as typeof views.range
  await put('a/7', 'two', 'one')
  await ask('file.move', 'a/8', { to: 'b/8', base: shaOf('one') })
  const told = async (): Promise<unknown> => {
    const list = await since(end)
    return [list.isFull, codes(list.files), codes(list.folders)]
  }
  const few = await told()
  assert.equal([few, pages], [[false, { 'a/7': 2, 'b/8': 4 }, { b: 1 }], 0])
  for (let count = 0; count < 17_000; count++) void ask('setting.put', 's', { value: count })
  assert.equal(await told(), few)
  assert.ok(pages > 2, `${pages} pages`)
})

test('a long list is sent while it is made, and is whole', async context => {
  const { own, put, since } = await shelf(context)
  for (let count = 0; count < 3_000; count++) void put(`a/${String(count).padStart(4, '0')} & <é>`.replace(/[<>]/g, '+'), 'one')
  await own.account.settled()
  const { files } = await since(BEGINNING)
  assert.equal([files.length, new Set(files.map(({ id }) => id)).size], [3_000, 3_000])
  assert.is(files[0]!.path, 'a/0000 & +é+')
})

const tokenless = (own: Service, token: string): Promise<{ status: number; text: string }> =>
  own.post(envelope(SOAP_11, changeListXml(token)))

test("a token opens its own account's list, and that of a device that was revoked none", async context => {
  const { own, put } = await shelf(context)
  await put('secret of ada', 'one')
  const ben = await own.own.hub.ensureAccount((await own.own.directory.add('ben')).id)
  const [bens, reader, lost] = [
    await register(ben, 'b'),
    await register(own.account, 'r', true),
    await register(own.account, 'l')
  ]
  assert.not.match((await tokenless(own, bens.token)).text, 'secret')
  assert.match((await tokenless(own, reader.token)).text, 'secret of ada')
  await revokeDevice(own.account, lost.device)
  const refused = await tokenless(own, lost.token)
  assert.equal([refused.status, textIn(refused.text, 'faultcode')], [500, 'soap:Client'])
  for (const token of ['', 'x', 'lectern_AAAA']) assert.is((await tokenless(own, token)).status, 500, token)
})

test.run()
