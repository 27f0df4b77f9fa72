import * as assert from 'uvu/assert'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ACTIONS } from '../../../protocol/actions.ts'
import { encodeValue } from '../../../protocol/codec.ts'
import { LIMITS } from '../../../protocol/limits.ts'
import { checked } from '../../../protocol/shapes.ts'
import { readEpub, resolveHref } from '../../../server/files/epub.ts'
import { makeEpub, makeEpubOf, packageAround, type EpubContent } from '../../util/make-epub.ts'
import { realData } from '../../util/data.ts'
import { suite } from '../../util/suite.ts'
import { temporaryFolder } from '../../util/folder.ts'

const test = suite('server/files/epub')

const PNG = Buffer.from('\x89PNG\r\n\x1a\nand the image', 'latin1')
const JPEG = Buffer.from('\xff\xd8\xff\xe0and the image', 'latin1')

const BOOK: EpubContent = {
  title: 'Walden & Other “Things” <1>',
  authors: ['Henry David Thoreau', 'Second Author'],
  language: 'en-US',
  publisher: 'Ticknor and Fields',
  published: '1854-08-09',
  description: 'Life in the woods.',
  subjects: ['Nature', 'Solitude'],
  series: 'American Classics',
  seriesIndex: 2.5,
  identifiers: ['urn:isbn:0-306-40615-2', 'urn:uuid:6BA7B810-9DAD-11D1-80B4-00C04FD430C8'],
  cover: { bytes: PNG, mediaType: 'image/png' }
}

const FIELDS = {
  title: 'Walden & Other “Things” <1>',
  authors: ['Henry David Thoreau', 'Second Author'],
  series: 'American Classics',
  seriesIndex: 2.5,
  language: 'en-US',
  publisher: 'Ticknor and Fields',
  published: '1854-08-09',
  identifiers: { 'isbn:9780306406157': 'epub', 'uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8': 'epub' },
  subjects: ['Nature', 'Solitude'],
  description: 'Life in the woods.'
}

const fieldsOf = async (metadata: string) => (await readEpub(makeEpubOf(packageAround(metadata)))).fields

test('an EPUB 3 gives all fields and its cover', async () => {
  const { fields, cover } = await readEpub(makeEpub({ ...BOOK, subtitle: 'Or, Life in the Woods' }))
  assert.equal(fields, { ...FIELDS, subtitle: 'Or, Life in the Woods' })
  assert.is(cover?.mediaType, 'image/png')
  assert.equal(Buffer.from(cover!.bytes), PNG)
})

test('an EPUB 2 gives the same fields and its cover', async () => {
  const { fields, cover } = await readEpub(makeEpub({ ...BOOK, version: 2 }))
  assert.equal(fields, FIELDS)
  assert.equal(Buffer.from(cover!.bytes), PNG)
})

test('a path gives the same as the bytes', async context => {
  const folder = temporaryFolder(context)
  await writeFile(join(folder, 'book.epub'), makeEpub(BOOK))
  assert.equal(await readEpub(join(folder, 'book.epub')), await readEpub(makeEpub(BOOK)))
  const error = await readEpub(join(folder, 'none.epub')).catch((error: unknown) => error as NodeJS.ErrnoException)
  assert.is((error as NodeJS.ErrnoException).code, 'ENOENT')
})

test('a book that says nothing has no fields and no cover', async () => {
  assert.equal(await readEpub(makeEpubOf(packageAround('<dc:title> </dc:title><dc:creator/>'))), { fields: {}, cover: undefined })
})

test('the main title comes before others, wherever it stands', async () => {
  const typed = (id: string, type: string, text: string) =>
    `<dc:title id="${id}">${text}</dc:title><meta refines="#${id}" property="title-type">${type}</meta>`
  assert.equal(await fieldsOf(typed('a', 'collection', 'All') + typed('b', 'subtitle', 'Sub') + typed('c', 'main', 'Main')), {
    title: 'Main',
    subtitle: 'Sub'
  })
  assert.equal(await fieldsOf(`${typed('a', 'short', 'Short')}<dc:title>Whole</dc:title>`), { title: 'Whole' })
  assert.equal(await fieldsOf(typed('a', 'subtitle', 'Only')), { title: 'Only' })
})

test('authors are the creators who wrote; editors stand in when nobody did', async () => {
  const edited =
    '<dc:creator opf:role="edt">Ed</dc:creator><dc:creator id="t">Tr</dc:creator><meta refines="#t" property="role">trl</meta>'
  assert.equal(
    (await fieldsOf(`${edited}<dc:creator opf:role="AUT"> Ann\n  Lee </dc:creator><dc:creator>Ben</dc:creator>`)).authors,
    ['Ann Lee', 'Ben']
  )
  assert.equal((await fieldsOf(edited)).authors, ['Ed', 'Tr'])
})

test("the date is that of publication, not of the file, and not calibre's word for unknown", async () => {
  const dates = '<dc:date opf:event="modification">2020</dc:date><dc:date opf:event="publication">1999-01</dc:date>'
  assert.is((await fieldsOf(dates)).published, '1999-01')
  assert.is((await fieldsOf('<dc:date opf:event="modification">2020</dc:date>')).published, undefined)
  assert.is((await fieldsOf('<dc:date>0101-01-01T00:00:00+00:00</dc:date>')).published, undefined)
})

test('a description in HTML becomes plain text', async () => {
  const html =
    '&lt;p class="x"&gt;One &amp;amp; two&amp;nbsp;&amp;#8212;&lt;b&gt;bold&lt;/b&gt;&lt;/p&gt;\n&lt;p&gt;Three&lt;br/&gt;four&lt;/p&gt;'
  assert.is((await fieldsOf(`<dc:description>${html}</dc:description>`)).description, 'One & two —bold\nThree\nfour')
  assert.is((await fieldsOf('<dc:description><![CDATA[<i>Hi</i> &#xD800;]]></dc:description>')).description, 'Hi &#xD800;')
  const plain = 'if a &lt; b and c > d &amp;amp; more'
  assert.is((await fieldsOf(`<dc:description>${plain}</dc:description>`)).description, 'if a < b and c > d &amp; more')
})

test('a set is no series, and a position that is no number is left out', async () => {
  const collection = (type: string, position: string) =>
    `<meta property="belongs-to-collection" id="c">Name</meta><meta refines="#c" property="collection-type">${type}</meta>
     <meta refines="#c" property="group-position">${position}</meta>`
  assert.equal(await fieldsOf(collection('set', '1')), {})
  assert.equal(await fieldsOf(collection('series', '3')), { series: 'Name', seriesIndex: 3 })
  for (const position of ['1.2.3', '-1', '1e3', 'Infinity', '9999999'])
    assert.equal(await fieldsOf(collection('series', position)), { series: 'Name' })
})

test('only images are covers, by their bytes', async () => {
  const coverOf = async (bytes: Uint8Array) =>
    (await readEpub(makeEpub({ ...BOOK, cover: { bytes, mediaType: 'image/jpeg' } }))).cover
  assert.is((await coverOf(JPEG))?.mediaType, 'image/jpeg')
  assert.is((await coverOf(PNG))?.mediaType, 'image/png')
  assert.is((await coverOf(Buffer.from('GIF89a...')))?.mediaType, 'image/gif')
  assert.is((await coverOf(Buffer.from('RIFF\0\0\0\0WEBPVP8 ')))?.mediaType, 'image/webp')
  assert.is(await coverOf(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')), undefined)
  assert.is(await coverOf(Buffer.from('<html></html>')), undefined)
  assert.is(await coverOf(new Uint8Array()), undefined)
})

test("a cover is found from the package document's folder, through escapes and dots", async () => {
  const item = '<item id="x" href="../art%20work/./c%C3%B6ver.png?v=1#top" media-type="image/png" properties="svg cover-image"/>'
  const epub = makeEpubOf(packageAround('', item), [{ name: 'art work/cöver.png', data: PNG }])
  assert.is((await readEpub(epub)).cover?.mediaType, 'image/png')
})

test('a link that leads out of the file leads nowhere', () => {
  assert.is(resolveHref('OEBPS/book.opf', 'a/../b.png'), 'OEBPS/b.png')
  assert.is(resolveHref('book.opf', 'b%.png'), 'b%.png')
  for (const href of [
    '../../etc/passwd',
    '..%2f..%2fetc/passwd',
    '/etc/passwd',
    'file:///etc/passwd',
    'http://x/y.png',
    'data:image/png,x'
  ])
    assert.is(resolveHref('OEBPS/book.opf', href), undefined, href)
})

test('a package document in UTF-16 is read', async () => {
  const text = packageAround('<dc:title>Größe</dc:title>').replace('UTF-8', 'UTF-16')
  assert.is((await readEpub(makeEpubOf(Buffer.from(`\ufeff${text}`, 'utf16le')))).fields.title, 'Größe')
  assert.is((await readEpub(makeEpubOf(Buffer.from(`\ufeff${text}`, 'utf16le').swap16()))).fields.title, 'Größe')
})

test('a book from before EPUB 2.0.1 keeps its metadata one level deeper', async () => {
  const { title, authors } = await fieldsOf('<dc-metadata><dc:title>Old</dc:title><dc:creator>Ann</dc:creator></dc-metadata>')
  assert.equal({ title, authors }, { title: 'Old', authors: ['Ann'] })
})

test('however much a book says, its fields fit into an action', async () => {
  const many = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => `<dc:${name}>${'𝔏'.repeat(600)}漢${index}</dc:${name}>`).join('')
  for (const scale of [1, 80]) {
    const fields = await fieldsOf(
      ['title', 'language', 'publisher', 'date', 'description']
        .map(name => `<dc:${name}>${'𝔏漢'.repeat(300 * scale)}</dc:${name}>`)
        .join('') +
        (scale === 1 ? '' : many('creator', 90) + many('subject', 200)) +
        Array.from(
          { length: 100 },
          (_, index) => `<dc:identifier>${String(index).padEnd(index % 9 === 0 ? 124 : 123, 'i')}</dc:identifier>`
        ).join('') +
        `<meta name="calibre:series" content="${'s'.repeat(9_000)}"/>`
    )
    assert.equal(checked('bad-action', ACTIONS['book.put'].body, fields, 'body'), fields)
    assert.ok(encodeValue(fields).length < LIMITS.maxBodyBytes - 4_096, `${encodeValue(fields).length} bytes`)
    assert.is(Buffer.from(JSON.stringify(fields)).toString(), JSON.stringify(fields))
    assert.ok(fields.title!.length >= 900)
    assert.is(
      Object.keys(fields.identifiers!).every(key => Buffer.byteLength(key) <= LIMITS.maxMapKeyBytes),
      true
    )
  }
})

test('the same content makes the same file', () => {
  const hash = (content: EpubContent) => createHash('sha256').update(makeEpub(content)).digest('hex')
  assert.is(hash(BOOK), hash(BOOK))
  assert.is.not(hash(BOOK), hash({ ...BOOK, title: 'Other' }))
})

const books = realData('books')
if (books !== undefined) {
  test('published books are read', async () => {
    const childrens = await readEpub(join(books, 'childrens-literature.epub'))
    assert.equal(childrens.fields, {
      title: "Children's Literature",
      subtitle: 'A Textbook of Sources for Teachers and Teacher-Training Classes',
      authors: ['Charles Madison Curry', 'Erle Elsworth Clippinger'],
      language: 'en',
      published: '2008-05-20',
      identifiers: { 'url:http://www.gutenberg.org/ebooks/25545': 'epub' },
      subjects: ['Children -- Books and reading', "Children's literature -- Study and teaching"]
    })
    assert.is(childrens.cover?.mediaType, 'image/png')
    const moby = await readEpub(join(books, 'moby-dick.epub'))
    assert.equal(moby.fields, {
      title: 'Moby-Dick',
      authors: ['Herman Melville'],
      language: 'en-US',
      publisher: 'Harper & Brothers, Publishers',
      identifiers: { 'epub:code.google.com.epub-samples.moby-dick-basic': 'epub' }
    })
    assert.is(moby.cover?.mediaType, 'image/jpeg')
    const wasteland = await readEpub(join(books, 'wasteland.epub'))
    assert.is(wasteland.fields.title, 'The Waste Land')
    assert.is(wasteland.cover?.mediaType, 'image/jpeg')
  })
}

test.run()
