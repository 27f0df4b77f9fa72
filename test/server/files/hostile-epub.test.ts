import * as assert from 'uvu/assert'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HubError } from '../../../protocol/errors.ts'
import { readEpub } from '../../../server/files/epub.ts'
import { costOf } from '../../util/cost.ts'
import { containerOf, makeEpub, makeEpubOf, makeZip, packageAround } from '../../util/make-epub.ts'
import { suite } from '../../util/suite.ts'
import { temporaryFolder } from '../../util/folder.ts'

const test = suite('server/files/hostile-epub')

const PACKAGE = packageAround('<dc:title>Fine</dc:title>')

async function refused(epub: string | Buffer, reason: RegExp): Promise<void> {
  const error = await readEpub(epub).catch((error: unknown) => error)
  assert.ok(error instanceof HubError, `not refused: ${String(error)}`)
  assert.is(error.code, 'bad-request')
  assert.match(error.message, reason)
  assert.ok(error.message.length < 400)
}

test('what is no zip file is refused', async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('%PDF-1.7'), Buffer.alloc(100_000), Buffer.from('PK\x05\x06')])
    await refused(bytes, /damaged, or is none/)
})

test('a zip file that ends anywhere before its end is refused', async () => {
  const epub = makeEpub({ title: 'Whole' })
  for (let length = 0; length < epub.length; length += 7) await refused(epub.subarray(0, length), /damaged, or is none/)
})

test('a damaged file from disk is refused, and its name is free again', async context => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'book.epub')
  await writeFile(path, makeEpub({ title: 'Whole' }).subarray(100))
  await refused(path, /damaged, or is none/)
})

test('a long package document leaves others their turns of the event loop', async () => {
  const epub = makeEpubOf(
    packageAround(`<dc:title>Long</dc:title><dc:description>${'&lt;p&gt;'.repeat(200_000)}</dc:description>`)
  )
  let turns = 0
  let isOver = false
  const count = (): void => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  count()
  assert.is((await readEpub(epub)).fields.title, 'Long')
  isOver = true
  assert.ok(turns > 50, `${turns} turns`)
})

test('no single byte that is changed makes it fail in another way', async () => {
  const epub = makeEpub({ title: 'Whole', cover: { bytes: Buffer.from('GIF89a'), mediaType: 'image/gif' } })
  for (let index = 0; index < epub.length; index++) {
    const changed = Buffer.from(epub)
    changed[index] = changed[index]! ^ 0xff
    const error = await readEpub(changed).then(
      () => undefined,
      (error: unknown) => error
    )
    assert.ok(
      error === undefined || (error instanceof HubError && error.code === 'bad-request'),
      `byte ${index}: ${String(error)}`
    )
  }
})

test('a zip file without container.xml is no EPUB', async () => {
  await refused(makeZip([]), /not an EPUB/)
  await refused(makeZip([{ name: 'mimetype', data: 'application/epub+zip' }]), /not an EPUB/)
})

test('a container that names no package document, or one that is not there, is refused', async () => {
  await refused(makeEpubOf(PACKAGE, [], containerOf('')), /names no package document/)
  await refused(makeEpubOf(PACKAGE, [], '<container/>'), /names no package document/)
  await refused(makeEpubOf(PACKAGE, [], containerOf('OEBPS/other.opf')), /is not in the file/)
})

test('a path in container.xml never leaves the file', async () => {
  for (const path of [
    '../../../../etc/passwd',
    '/etc/passwd',
    'file:///etc/passwd',
    'OEBPS/../OEBPS/book.opf',
    'C:\\book.opf',
    '__proto__',
    'x'.repeat(60_000)
  ])
    await refused(makeEpubOf(PACKAGE, [], containerOf(path)), /is not in the file/)
})

test('an entry whose name leads out of the file is refused', async () => {
  for (const name of ['../evil', '/evil', 'a/../../evil', 'C:/evil'])
    await refused(makeEpubOf(PACKAGE, [{ name, data: '' }]), /path/)
})

test('a package document that is something else is refused', async () => {
  await refused(makeEpubOf('<html xmlns="http://www.w3.org/1999/xhtml"/>'), /package element/)
  await refused(makeEpubOf('<package/>'), /package element/)
  await refused(makeEpubOf(''), /not well-formed/)
  await refused(makeEpubOf('{"title": "JSON"}'), /not well-formed/)
  await refused(makeEpubOf(Buffer.from(PACKAGE.replace('Fine', 'Größe'), 'latin1')), /is not UTF-8/)
})

test('XML that is not well-formed, or whose prefixes mean nothing, is refused', async () => {
  await refused(makeEpubOf(PACKAGE.replace('</metadata>', '')), /not well-formed/)
  await refused(makeEpubOf(PACKAGE.replace('Fine', '&nbsp;')), /undefined entity/)
  await refused(makeEpubOf(PACKAGE.replace('Fine', '&toString;')), /undefined entity/)
  await refused(makeEpubOf(PACKAGE.replace('Fine', '&#0;')), /malformed character/)
  await refused(makeEpubOf(PACKAGE.replace('<dc:title>', '<dc:title xx:y="">')), /unbound namespace/)
})

test('a document type is refused in both files, whatever is in it', async () => {
  for (const type of [
    '<!DOCTYPE package>',
    '<!DOCTYPE package SYSTEM "file:///etc/passwd">',
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
    '<!DOCTYPE x [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>'
  ]) {
    await refused(makeEpubOf(type + PACKAGE.replace(/<\?.*\?>/, '')), /document type/)
    await refused(makeEpubOf(PACKAGE, [], type + containerOf('OEBPS/book.opf').replace(/<\?.*\?>/, '')), /document type/)
  }
})

/** What takes quadratic time would take some thousand times as long. */
const AT_MOST_TIMES = 40

const described = (text: string): Buffer =>
  makeEpubOf(packageAround(`<dc:description>&lt;b&gt;${text.repeat(Math.floor(1_900_000 / text.length))}</dc:description>`))

test('200,000 levels, a million siblings and thousands of attributes are refused early', async () => {
  await refused(makeEpubOf(packageAround('<a>'.repeat(200_000))), /nested more than 32 deep/)
  await refused(makeEpubOf(packageAround('<a/>'.repeat(400_000))), /more than 20000 elements/)
  await refused(
    makeEpubOf(packageAround(`<a ${Array.from({ length: 9_000 }, (_, index) => `a${index}=""`).join(' ')}/>`)),
    /more than 64 attributes/
  )
})

test('many refinements of many elements with one id take no longer than other metadata', async () => {
  const metadata = (creator: string): string =>
    '<meta refines="#a" property="role">x</meta>'.repeat(10_000) + creator.repeat(9_000)
  const [plain, refined] = ['<dc:creator>x</dc:creator>', '<dc:creator id="a">x</dc:creator>'].map(creator =>
    makeEpubOf(packageAround(metadata(creator)))
  )
  const usual = await costOf(() => readEpub(plain!))
  const cost = await costOf(async () => assert.equal((await readEpub(refined!)).fields.authors, ['x']))
  assert.ok(cost < AT_MOST_TIMES * usual, `${cost} µs, and ${usual} µs of other metadata`)
})

test('text that is made to be slow to clean takes no longer than other text', async () => {
  const usual = await costOf(() => readEpub(described('some words ')))
  for (const text of ['&lt;', '&lt;a', '&lt;a &lt;/', '&amp;#', ' \t', '&lt;p']) {
    const cost = await costOf(() => readEpub(described(text)))
    assert.ok(cost < AT_MOST_TIMES * usual, `${cost} µs of ${JSON.stringify(text)}, and ${usual} µs of words`)
  }
})

test('a package document that inflates a thousandfold is refused by what it claims, and by what comes out', async () => {
  const bomb = Buffer.alloc(30_000_000, ' ')
  const around = (claimedBytes?: number) =>
    makeZip([
      { name: 'META-INF/container.xml', data: containerOf('book.opf') },
      { name: 'book.opf', data: bomb, ...(claimedBytes === undefined ? {} : { claimedBytes }) }
    ])
  await refused(around(), /larger than 2097152 bytes/)
  await refused(around(1_000), /damaged|larger than 1000/)
})

test('a cover that inflates past what it claims is refused, and one that claims too much is left out', async () => {
  const epub = (claimedBytes?: number) =>
    makeEpubOf(packageAround('<dc:title>Fine</dc:title>', '<item id="c" href="c.png" properties="cover-image"/>'), [
      { name: 'OEBPS/c.png', data: Buffer.alloc(20_000_000), ...(claimedBytes === undefined ? {} : { claimedBytes }) }
    ])
  assert.equal(await readEpub(epub()), { fields: { title: 'Fine' }, cover: undefined })
  await refused(epub(1_000_000), /damaged/)
  await refused(epub(16_000_000), /damaged/)
})

test('an entry that is shorter than it claims is refused', async () => {
  await refused(
    makeZip([{ name: 'META-INF/container.xml', data: containerOf('book.opf'), claimedBytes: 60_000 }]),
    /not as long as it says/
  )
})

test('a zip file of very many entries is refused', async () => {
  const files = Array.from({ length: 20_001 }, (_, index) => ({ name: `file-${index}`, data: '', stored: true }))
  await refused(makeZip(files), /too many entries/)
})

test.run()
