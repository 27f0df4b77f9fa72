import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { ACTIONS, isSameValue, type Plain } from '../../../protocol/index.ts'
import { annotationOf, type Annotation, type Reading } from '../../../server/annotations/annotation.ts'
import { FORMATS, type FormatName } from '../../../server/annotations/formats.ts'
import { readAnnotationFile } from '../../../server/annotations/read-file.ts'
import { wordsOf } from '../../../server/annotations/uris.ts'
import { bookOfView, writeAnnotations } from '../../../server/annotations/write-file.ts'
import { fromWords } from '../../util/arbitrary.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations/formats')

const BOOK = {
  title: 'Emma',
  authors: ['Jane Austen'],
  published: '1815-12-23',
  identifiers: { 'isbn:9780141439587': 'epub', 'koreader:59d481d168cca6267322f150c5f6a2a3': 'import', 'odd: one/ä': 'me' },
  removed: false
}
const NAMES = Object.keys(FORMATS) as FormatName[]

/** A book's file in a format, in pages of two. */
async function written(
  format: FormatName,
  annotations: readonly Annotation[],
  book: typeof BOOK | object = BOOK
): Promise<string> {
  const rows = annotations.map(({ id, ...fields }) => [id, { note: '', ...fields }] as [string, { [field: string]: Plain }])
  let text = ''
  const pages = writeAnnotations(format, bookOfView('emma', book as never), async after => {
    const start = after === '' ? 0 : Number(after)
    return { value: rows.slice(start, start + 2), next: start + 2 < rows.length ? String(start + 2) : '' }
  })
  for await (const piece of pages) text += piece
  return text
}

const read = (text: string): Reading => readAnnotationFile(Buffer.from(text))
const byId = (annotations: readonly Annotation[]): Annotation[] =>
  [...annotations].sort((one, other) => (one.id < other.id ? -1 : 1))

/** What a format gives back, without what it adds for its own use. */
const given = ({ books }: Reading): Annotation[] =>
  byId(
    books
      .flatMap(({ annotations }) => annotations)
      .map(annotation => {
        const { base: _, ...rest } = annotation
        return rest
      })
  )

const line = fc.constantFrom(
  '',
  ' ',
  '> q',
  '<!-- lectern {}',
  '<!-- /lectern -->',
  '\\<!-- lectern',
  '---',
  '-->',
  '# h',
  'a\r',
  '\u2028b',
  'plain'
)
const text = fc.array(line, { minLength: 1, maxLength: 5 }).map(lines => lines.join('\n'))
const locator = fc.constantFrom(
  'cfi',
  'xpath',
  'css',
  'start',
  'end',
  'prefix',
  'suffix',
  'href',
  'page',
  'xpointer',
  'selector:Odd',
  'a b/ä'
)
const place = fc.constantFrom(
  'epubcfi(/6/4!/4/2,/1:0,/1:31)',
  '12',
  '007',
  '',
  '#a',
  '{"type":"Odd","value":1}',
  'urn:lectern:book:emma'
)
const json = fc.constantFrom<Plain>(
  { annotation: { creator: { name: 'A' } }, body: { keyword: 'k' }, target: { meta: { page: 5 } } },
  { annotation: { id: 'x' } },
  { bodies: [{ type: 'TextualBody', value: 'tag', purpose: 'tagging' }], targets: ['http://a/'] },
  { body: null },
  { '@bytes': 'no' },
  new Uint8Array([1, 2]),
  5
)
/** Any annotation that the library can hold, and more of those with which a format may have trouble. */
const annotation = fc
  .record(
    {
      any: fromWords(ACTIONS['annotation.put'].body.words) as fc.Arbitrary<Record<string, unknown>>,
      quote: text,
      note: text,
      color: fc.constantFrom('yellow', 'purple', '#ff0000', ''),
      style: fc.constantFrom('solid', 'wavy', ''),
      chapter: fc.constantFrom('Chapter 1', '', '<!-- lectern'),
      locators: fc.dictionary(locator, place, { noNullPrototype: true, maxKeys: 6 }),
      extra: fc.dictionary(fc.constantFrom('webAnnotation', 'koreader', '@bytes'), json, { noNullPrototype: true }),
      createdAtMs: fc.constantFrom(0, 1_700_000_000_001, 8.64e15, 8.64e15 + 1),
      updatedAtMs: fc.constantFrom(0, 1_700_000_000_002)
    },
    { requiredKeys: ['any'], noNullPrototype: true }
  )
  .map(({ any, ...more }) => annotationOf(String(any['id']), { ...any, ...more }))

for (const format of NAMES)
  test(`whatever the library holds comes back from ${format} as it was`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(annotation, { maxLength: 5, selector: ({ id }) => id }), async annotations => {
        const file = await written(format, annotations)
        if (annotations.length === 0 && format === 'w3c') return
        const reading = read(file)
        assert.equal([reading.kind, reading.leftOut, reading.books.length], [format, [], 1])
        const [wanted, found] = [byId(annotations), given(reading)]
        assert.ok(isSameValue(found, wanted), `${file}\n${JSON.stringify(wanted)}\n${JSON.stringify(found)}`)
      }),
      { numRuns: 300 }
    )
  })

test('a file says which book it is about', async () => {
  const { identifiers } = BOOK
  for (const format of NAMES) {
    const [{ book }] = read(await written(format, [annotationOf('a', { quote: 'q' })])).books as [Reading['books'][number]]
    assert.is(book.id, 'emma', format)
    assert.equal([...book.identifiers].sort(), Object.keys(identifiers).sort(), format)
    assert.equal([book.fields.title, book.fields.authors], ['Emma', ['Jane Austen']], format)
  }
})

test('texts that are longer than an action may bring are written whole, and are named where they are read in', async () => {
  const texts = { note: `n${'o'.repeat(70_000)}`, quote: `q${'u'.repeat(20_000)}`, chapter: `c${'h'.repeat(2_000)}` }
  const locators = { cfi: `/6/4${'!'.repeat(5_000)}` }
  const extra = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`member${at}`, at]))
  for (const format of NAMES) {
    const file = await written(format, [annotationOf('a', { ...texts, locators, extra, color: 5 })])
    for (const text of [...Object.values(texts), locators.cfi, 'member99']) assert.ok(file.includes(text), format)
    const { books, leftOut } = read(file)
    assert.equal([books[0]!.annotations, leftOut.length], [[], 1], format)
    assert.match(leftOut[0]!, /^annotation 1 of Emma: \w+ is not /)
  }
})

test('removed annotations are not written', async () => {
  const pages = writeAnnotations('w3c', bookOfView('emma', BOOK), async () => ({
    value: [
      ['a', { quote: 'gone', removedAtMs: 5 }],
      ['b', { quote: 'there' }]
    ],
    next: ''
  }))
  let text = ''
  for await (const piece of pages) text += piece
  assert.not.match(text, 'gone')
  assert.match(text, /"total":1\}/)
})

test('W3C has a selector for each way in which a place is known', async () => {
  const marked = annotationOf('6b1b4a3e-0d3c-4c1a-9d0e-3a0f3f1f8a11', {
    kind: 'highlight',
    quote: 'handsome, clever, and rich',
    note: 'the first words',
    locators: {
      prefix: 'Woodhouse, ',
      cfi: 'epubcfi(/6/4!/4/2,/1:16,/1:42)',
      xpath: '/html/body/p[1]',
      css: 'p:first-child',
      start: '16',
      end: '42',
      xpointer: '/body/DocFragment[2]/body/p/text().16'
    },
    createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    updatedAtMs: Date.UTC(2026, 0, 2, 3, 4, 6)
  })
  assert.equal(JSON.parse(await written('w3c', [marked])), {
    '@context': ['http://www.w3.org/ns/anno.jsonld', { lectern: { '@id': 'urn:lectern:members', '@type': '@json' } }],
    id: 'urn:lectern:book:emma:annotations',
    type: 'AnnotationCollection',
    label: 'Emma',
    lectern: { book: { id: 'emma', title: 'Emma', authors: ['Jane Austen'], identifiers: Object.keys(BOOK.identifiers).sort() } },
    first: {
      type: 'AnnotationPage',
      startIndex: 0,
      items: [
        {
          id: 'urn:uuid:6b1b4a3e-0d3c-4c1a-9d0e-3a0f3f1f8a11',
          type: 'Annotation',
          motivation: 'highlighting',
          created: '2026-01-02T03:04:05.006Z',
          modified: '2026-01-02T03:04:06.000Z',
          body: { type: 'TextualBody', value: 'the first words', format: 'text/plain', purpose: 'commenting' },
          target: {
            source: 'urn:lectern:book:emma',
            selector: [
              { type: 'TextQuoteSelector', exact: 'handsome, clever, and rich', prefix: 'Woodhouse, ' },
              {
                type: 'FragmentSelector',
                conformsTo: 'http://www.idpf.org/epub/linking/cfi/epub-cfi.html',
                value: 'epubcfi(/6/4!/4/2,/1:16,/1:42)'
              },
              { type: 'XPathSelector', value: '/html/body/p[1]' },
              { type: 'CssSelector', value: 'p:first-child' },
              { type: 'TextPositionSelector', start: 16, end: 42 },
              {
                type: 'FragmentSelector',
                conformsTo: 'urn:lectern:locator:xpointer',
                value: '/body/DocFragment[2]/body/p/text().16'
              }
            ]
          }
        }
      ]
    },
    total: 1
  })
})

test("Readium's words are used where it has some", async () => {
  const marked = annotationOf('a', {
    kind: 'highlight',
    color: 'green',
    style: 'underline',
    quote: 'q',
    chapter: 'I',
    locators: { href: 'OEBPS/one.xhtml', page: 'XI' },
    createdAtMs: 0
  })
  const bookmark = annotationOf('b', { kind: 'bookmark', color: 'beige', locators: { href: 'OEBPS/two.xhtml' } })
  const { about, items } = JSON.parse(await written('readium', [marked, bookmark])) as Record<string, any>
  assert.equal(about, {
    'dc:identifier': [
      'urn:isbn:9780141439587',
      'urn:lectern:id:koreader%3A59d481d168cca6267322f150c5f6a2a3',
      'urn:lectern:id:odd%3A%20one%2F%C3%A4',
      'urn:lectern:book:emma'
    ],
    'dc:title': 'Emma',
    'dc:creator': ['Jane Austen'],
    'dc:date': '1815'
  })
  const context = 'http://www.w3.org/ns/anno.jsonld'
  assert.equal(items, [
    {
      '@context': context,
      id: 'urn:lectern:annotation:a',
      type: 'Annotation',
      created: '1970-01-01T00:00:00.000Z',
      body: { type: 'TextualBody', value: '', color: 'green', highlight: 'underline' },
      target: {
        source: 'OEBPS/one.xhtml',
        selector: [{ type: 'TextQuoteSelector', exact: 'q' }],
        meta: { headings: [{ level: 1, txt: 'I' }], page: 'XI' }
      }
    },
    {
      '@context': context,
      id: 'urn:lectern:annotation:b',
      type: 'Annotation',
      motivation: 'bookmarking',
      target: { source: 'OEBPS/two.xhtml' },
      lectern: { color: 'beige' }
    }
  ])
})

test("another app's set is read with all that it says, and written again as it was", async () => {
  const item = {
    '@context': 'http://www.w3.org/ns/anno.jsonld',
    id: 'urn:uuid:123-123-123-123',
    type: 'Annotation',
    created: '2023-10-14T15:13:28.000Z',
    creator: { id: 'urn:uuid:9', type: 'Person', name: 'A teacher' },
    target: {
      source: 'OEBPS/text/chapter1.html',
      selector: [
        { type: 'TextQuoteSelector', exact: 'fox', prefix: 'brown ', suffix: ' jumps' },
        { type: 'CSSSelector', value: '#intro > p', refinedBy: { type: 'TextPositionSelector', start: 4, end: 19 } },
        { type: 'ThoriumDomRangeSelector', startCssSelector: 'p', startTextNodeIndex: 0, startOffset: 4 }
      ],
      meta: {
        headings: [
          { level: 1, txt: 'Part' },
          { level: 2, txt: 'Chapter' }
        ],
        page: '3'
      }
    },
    body: { type: 'TextualBody', value: "j'adore !", color: 'blue', keyword: 'teacher', language: 'fr' }
  }
  const { kind, books } = read(
    JSON.stringify({
      type: 'AnnotationSet',
      about: { 'dc:title': 'Alice', 'dc:identifier': ['urn:isbn:9780141439587'] },
      items: [item]
    })
  )
  const [{ book, annotations }] = books as [Reading['books'][number]]
  assert.equal([kind, book.identifiers, book.fields.title], ['readium', ['isbn:9780141439587'], 'Alice'])
  const [read1] = annotations as [Annotation]
  assert.equal(
    [read1.id, read1.kind, read1.quote, read1.note, read1.color, read1.chapter, read1.locators?.['href']],
    ['urn:uuid:123-123-123-123', 'highlight', 'fox', "j'adore !", 'blue', 'Chapter', 'OEBPS/text/chapter1.html']
  )
  const [again] = JSON.parse(await written('readium', [read1])).items
  const { lectern, ...rest } = again
  assert.equal(lectern, { chapter: 'Chapter' })
  assert.equal(rest, { ...item, id: 'urn:uuid:123-123-123-123' })
})

test('W3C of other apps comes as a collection, a page, a list, or alone; what it leaves out is guessed', () => {
  const item = {
    id: 'https://a.example/1',
    type: 'Annotation',
    body: { type: 'TextualBody', value: 'n' },
    target: 'https://a.example/book#p1'
  }
  const forms: unknown[] = [
    item,
    [item],
    { type: 'AnnotationPage', items: [item] },
    { type: 'AnnotationCollection', first: { type: 'AnnotationPage', items: [item] } }
  ]
  for (const form of forms)
    assert.equal(given(read(JSON.stringify(form))), [
      { id: 'https://a.example/1', kind: 'note', note: 'n', locators: { href: 'https://a.example/book#p1' } }
    ])
})

test('what a person writes into Markdown is read, whatever their editor does to the ends of lines', async () => {
  const marked = [
    annotationOf('a', { quote: 'one\n\ntwo', note: 'mine' }),
    annotationOf('b', { quote: 'q', locators: { page: '7' } })
  ]
  const file = await written('markdown', marked)
  const edited = file
    .replace('mine', 'mine, and more\n\n> not a quote')
    .replace('> q\n\n', '> q\n\nnew note\n\n')
    .replaceAll('> \n', '>\n')
  for (const text of [edited, edited.replaceAll('\n', '\r\n'), `\ufeff${edited}`]) {
    const [a, b] = byId(read(text).books[0]!.annotations)
    assert.equal(
      [a!.quote, a!.note, a!.base],
      ['one\n\ntwo', 'mine, and more\n\n> not a quote', wordsOf({ quote: 'one\n\ntwo', note: 'mine' })]
    )
    assert.equal([b!.quote, b!.note], ['q', 'new note'])
  }
})

test('a place that is longer than one can be put is none, and takes no time to look through', async () => {
  const file = await written('markdown', [
    annotationOf('a', { quote: 'a', locators: { cfi: '['.repeat(900_000) } }),
    annotationOf('b', { quote: 'b', locators: { cfi: 'epubcfi(/6/4!/4/2)' } })
  ])
  assert.equal([...file.matchAll(/^> (.)$/gm)].map(([, quote]) => quote).join(''), 'ba')
})

test('Markdown is in the order of the book', async () => {
  const at = (id: string, cfi: string): Annotation => annotationOf(id, { quote: id, locators: { cfi } })
  const file = await written('markdown', [
    at('a', 'epubcfi(/6/12!/4/2)'),
    at('b', 'epubcfi(/6/4[x]!/4/10)'),
    at('c', 'epubcfi(/6/4!/4/2)'),
    annotationOf('d', { quote: 'd' })
  ])
  assert.equal([...file.matchAll(/^> (.)$/gm)].map(([, quote]) => quote).join(''), 'cbad')
})

test.run()
