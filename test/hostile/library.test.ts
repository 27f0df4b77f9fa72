import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CONTROL_SOCKET } from '../../server/data-folder.ts'
import { HubProcess } from '../util/hub-process.ts'
import { containerOf, makeEpub, makeEpubOf, makeZip, packageAround } from '../util/make-epub.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'
import { temporaryFolder } from '../util/folder.ts'

const test = suite('hostile/library')

const PACKAGE = packageAround('<dc:title>Fine</dc:title>')
const DOCTYPE = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'

const EPUBS: Readonly<Record<string, Buffer>> = {
  'case 21: a document type with entities': makeEpubOf(DOCTYPE + PACKAGE.replace(/<\?.*\?>/, '')),
  'case 21: an external entity in the container': makeEpubOf(
    PACKAGE,
    [],
    `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>${containerOf('OEBPS/book.opf').replace(/<\?.*\?>/, '')}`
  ),
  'case 21: 200,000 levels': makeEpubOf(packageAround('<a>'.repeat(200_000))),
  'case 21: 400,000 siblings': makeEpubOf(packageAround('<a/>'.repeat(400_000))),
  'case 21: a package document that inflates a thousandfold': makeZip([
    { name: 'META-INF/container.xml', data: containerOf('book.opf') },
    { name: 'book.opf', data: Buffer.alloc(30_000_000, ' ') }
  ]),
  'case 23: a package document outside of the file': makeEpubOf(PACKAGE, [], containerOf('../../../../etc/passwd')),
  'case 23: an entry whose name leads out': makeEpubOf(PACKAGE, [{ name: '../../../../tmp/evil', data: 'x' }]),
  'no zip file': Buffer.alloc(100_000),
  'a zip file that is cut off': makeEpub({ title: 'Whole' }).subarray(0, 300)
}

async function scene({ defer }: TestContext): Promise<{ hub: HubProcess; wire: WireClient; folder: string }> {
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const wire = new WireClient()
  const { token } = await hub.pair('reader', 'phone')
  await wire.connect(hub.url, token)
  defer(() => wire.close())
  const folder = temporaryFolder({ defer })
  return { hub, wire, folder }
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as { code: string }).code
  )

const filesOf = (hub: HubProcess): string[] =>
  readdirSync(hub.dataFolder, { recursive: true, encoding: 'utf8' })
    .filter(name => !name.startsWith('store'))
    .sort((left, right) => (left < right ? -1 : 1))

test('a hostile EPUB is refused, leaves no book and no file, and the hub goes on', async context => {
  const { hub, wire, folder } = await scene(context)
  const before = filesOf(hub)
  for (const [name, bytes] of Object.entries(EPUBS)) {
    const path = join(folder, 'book.epub')
    writeFileSync(path, bytes)
    assert.is(await codeOf(hub.operate('import', { account: 'reader', path })), 'bad-request', name)
    assert.equal(filesOf(hub), before, name)
    assert.equal(await wire.list('books'), [], name)
  }
})

test('case 23: a path that is no EPUB of the operator is refused, and a name of a file is only a name', async context => {
  const { hub, wire, folder } = await scene(context)
  symlinkSync('/etc/passwd', join(folder, 'link.epub'))
  mkdirSync(join(folder, 'folder.epub'))
  const paths = [
    join(folder, 'none.epub'),
    join(folder, 'folder.epub'),
    join(folder, 'link.epub'),
    `${folder}/a\0b.epub`,
    '/dev/zero'
  ]
  for (const path of paths) assert.is.not(await codeOf(hub.operate('import', { account: 'reader', path })), 'done', path)
  const names = ['..%2f..%2fetc%2fpasswd.epub', 'a\nb.epub', 'COM1.epub', '\\..\\..\\x.epub', 'Cafe\u0301.epub', '-rf.epub']
  for (const [index, name] of names.entries()) {
    writeFileSync(join(folder, name), makeEpub({ title: `Book ${index}` }))
    await hub.operate('import', { account: 'reader', path: join(folder, name) })
  }
  assert.is((await wire.list('books')).length, names.length)
  const kept = filesOf(hub).filter(name => name.startsWith('files/'))
  for (const name of kept) assert.match(name, /^files\/(tmp|uploads|[0-9a-f]{2}(\/[0-9a-f]{2}(\/[0-9a-f]{64})?)?)$/)
})

test('case 23: keys that look like paths are keys, and nothing else in the data folder moves', async context => {
  const { hub, wire } = await scene(context)
  const before = filesOf(hub)
  const keys = [
    '../../etc/passwd',
    '..',
    '/',
    'a/../b',
    '%2e%2e%2f',
    '\\\\host\\share',
    'CON',
    'e\u0301',
    '\u00e9',
    'files/tmp/x'
  ]
  wire.send('push', {
    confirmed: 0,
    actions: keys.map((key, index) => [index + 1, 0, 'book.put', key, { title: key }])
  })
  const { accepted } = await wire.next('acked')
  assert.is(accepted.length, keys.length)
  assert.equal(new Set((await wire.list('books')).map(([id]) => id)), new Set(keys))
  assert.equal(filesOf(hub), before)
})

/** What the operator's socket answers to a request as it stands. */
function post(hub: HubProcess, path: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: join(hub.dataFolder, CONTROL_SOCKET), path, method: 'POST' }, response => {
      let text = ''
      response.on('data', chunk => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode!, text }))
    })
    call.on('error', reject)
    call.end(body)
  })
}

test("case 22, as far as it concerns the operator's socket: names of operations are a list, bodies are bounded, and no answer tells of the inside", async context => {
  const { hub } = await scene(context)
  const requests: [path: string, body: string][] = [
    ...['/toString', '/__proto__', '/constructor', '/', '/nothing', '/../stats'].map((path): [string, string] => [path, '{}']),
    ['/stats', ''],
    ['/stats', '{'],
    ['/stats', '[]'],
    ['/stats', '{"extra":1}'],
    ['/account.add', '{"account":{"toString":1}}'],
    ['/account.add', `{"account":"${'x'.repeat(2_000_000)}"}`]
  ]
  for (const [path, body] of requests) {
    const { status, text } = await post(hub, path, body)
    assert.is(status, 400, path)
    assert.not.match(text, /node_modules|\/server\/|\bat .*:\d/, path)
  }
  assert.is((await hub.operate<{ hub: { accounts: number } }>('stats')).hub.accounts, 1)
})

test.run()
