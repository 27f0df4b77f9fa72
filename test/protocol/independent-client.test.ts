import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import type { Plain } from '../../protocol/index.ts'
import { revokeDevice } from '../../server/auth/devices.ts'
import { Origin } from '../../server/core/origin.ts'
import { serveHub } from '../../server/hub.ts'
import { loadConfig } from '../../server/options.ts'
import { register, servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'
import { docOf, noteOf, updateOf } from '../util/yjs-update.ts'
import { temporaryFolder } from '../util/folder.ts'

const script = fileURLToPath(new URL('independent-client.py', import.meta.url))
const quiet = { debug() {}, info() {}, warn() {}, error: (fields: object, message: string) => console.error(message, fields) }

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 9)'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function skipped(): void {
  assert.is.not(process.env['CI'], 'true', 'CI needs python3 3.9 or newer for this test')
  console.log('SKIPPED: the independent client needs python3 3.9 or newer')
}

const holds = (found: object, expected: object): void => assert.equal({ ...found, ...expected }, found)

const test = suite('protocol/README')

test('a client written from the README in another language pairs, writes and reads', async ({ defer }) => {
  if (!hasPython()) return skipped()
  const dataFolder = temporaryFolder({ defer })
  const hub = await serveHub(loadConfig({}, { dataFolder, port: '0' }), quiet)
  defer(() => hub.close())
  const account = await hub.directory.add('ada')
  const { code } = hub.pairing.open(account.id)

  const { stdout } = await promisify(execFile)('python3', [script, hub.url, code.toLowerCase()])

  const { books, annotations, ...seen } = JSON.parse(stdout) as Record<string, unknown> &
    Record<'books' | 'annotations', [string, object][]>
  assert.equal(seen, {
    version: 1,
    head: 1,
    isThisDevice: true,
    changes: [
      ['', 0, 'device.put'],
      ['python-1', 1, 'book.put'],
      ['python-1', 2, 'annotation.update']
    ],
    accepted: [
      [1, 2],
      [2, 3],
      [1, 2]
    ],
    refused: [[3, 'bad-action', 'body.rating']],
    book: 'not-found'
  })
  assert.is(books[0]![0], 'emma')
  holds(books[0]![1], { title: 'Emma', authors: ['Jane Austen'], rating: 4.5, identifiers: {}, removed: false, cursor: 2 })
  assert.is(annotations[0]![0], 'a1')
  holds(annotations[0]![1], { kind: 'highlight', quote: 'handsome, clever, and rich', note: 'é😀' })
})

interface Followed {
  readonly said: readonly string[][]
  readonly cursor: number
  readonly books: Record<string, { title: string; removed: boolean }>
  readonly positions: Record<string, [cursor: number, fields: object]>
  readonly settings: Record<string, unknown>
  readonly devices: Record<string, { name: string; revoked: boolean }>
  readonly documents: Record<string, readonly string[]>
}

test('the same client is told to begin anew, takes a snapshot for what it knew, and has what the hub has', async context => {
  if (!hasPython()) return skipped()
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const [{ token }, old] = [await register(account, 'Python'), await register(account, 'lost phone')]
  const file = join(hub.dataFolder, 'followed.json')
  const follow = async (): Promise<Followed> => {
    const { stdout } = await promisify(execFile)('python3', [script, hub.url, token, file], { maxBuffer: 2 ** 26 })
    return JSON.parse(stdout) as Followed
  }
  const by = new Origin('phone', 'tab')
  const ask = (kind: string, key: string, body: unknown): Promise<number> => account.perform(by, kind, key, body as Plain)
  await account.documents.load(new Set(['emma', 'moby']))
  await ask('book.put', 'emma', { title: 'Emma', identifiers: { 'isbn:1': 'phone' } })
  await ask('annotation.put', 'emma', { id: 'a', note: 'handsome' })
  const first = await follow()
  assert.equal([first.said, first.cursor], [[['welcome']], account.head])
  for (let count = 1; count < 5_000; count++) void ask('setting.put', `s${count % 50}`, { value: count })
  void ask('book.put', 'emma', { rating: 5, identifiers: { 'isbn:2': 'phone' } })
  void ask('book.put', 'moby', { title: 'Moby Dick' })
  void ask('book.remove', 'moby', {})
  void ask('position.set', 'emma', { progression: 0.25 })
  void ask('annotation.put', 'emma', { id: 'a', note: 'handsome, clever' })
  await ask(
    'annotation.update',
    'moby',
    updateOf(docOf(7), notes => notes.set('long', noteOf('x'.repeat(700_000))))
  )
  await revokeDevice(account, old.device)
  const isAsHub = async (followed: Followed): Promise<void> => {
    assert.is(followed.cursor, account.head)
    assert.equal(followed.settings, Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`s${at}`, 4_950 + at])))
    assert.equal(followed.books, {
      emma: { title: 'Emma', rating: 5, identifiers: { 'isbn:1': 'phone', 'isbn:2': 'phone' }, removed: false },
      moby: { title: 'Moby Dick', identifiers: {}, removed: true }
    })
    assert.equal(Object.values(followed.positions).map(([, fields]) => fields), [{ progression: 0.25 }]) // prettier-ignore
    assert.equal(Object.values(followed.devices).map(({ name, revoked }) => `${name} ${revoked}`).sort(), ['Python false', 'lost phone true']) // prettier-ignore
    for (const [book, updates] of Object.entries(followed.documents)) {
      const doc = new Y.Doc()
      for (const update of updates) Y.applyUpdate(doc, Buffer.from(update, 'hex'))
      assert.equal(doc.getMap('annotations').toJSON(), account.documents.use(book).doc.getMap('annotations').toJSON())
    }
    assert.equal(Object.keys(followed.documents).sort(), ['emma', 'moby'])
  }
  const second = await follow()
  assert.equal(second.said, [['welcome'], ['resync', 'far-behind'], ['snapshot']])
  await isAsHub(second)
  const third = await follow()
  assert.equal(third.said, [['welcome']])
  await isAsHub(third)
  const kept = JSON.parse(readFileSync(file, 'utf8')) as [object, string, number]
  writeFileSync(file, JSON.stringify([kept[0], 'another', kept[2]]))
  const fourth = await follow()
  assert.equal(fourth.said, [['welcome'], ['resync', 'cursor-unknown'], ['snapshot']])
  await isAsHub(fourth)
})

test.run()
