import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import type { Annotation, Reading } from '../../../server/annotations/annotation.ts'
import { MAX_FILE_BYTES } from '../../../server/annotations/limits.ts'
import { readAnnotationFile } from '../../../server/annotations/read-file.ts'
import { mutate } from '../../util/mutate.ts'
import { Random } from '../../util/random.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations/readers')

const sample = (name: string): Buffer => readFileSync(new URL(`samples/${name}`, import.meta.url))
const read = (bytes: string | Uint8Array): Reading => readAnnotationFile(Buffer.from(bytes))
const local = (...parts: [number, number, number, number, number, number]): number =>
  new Date(parts[0], parts[1] - 1, ...(parts.slice(2) as [number, number, number, number])).getTime()
const without = (annotation: Annotation): Omit<Annotation, 'id'> => {
  const { id: _, ...rest } = annotation
  return rest
}

test("KOReader's file gives highlights, notes and bookmarks, with every place as it names it", () => {
  const { kind, books, leftOut } = read(sample('metadata.epub.lua'))
  const [{ book, annotations }] = books as [Reading['books'][number]]
  assert.equal([kind, leftOut], ['koreader', []])
  assert.equal(book, {
    identifiers: ['koreader:59d481d168cca6267322f150c5f6a2a3', 'isbn:9780141439587'],
    fields: { title: 'Emma', authors: ['Jane Austen', 'An Editor'] }
  })
  const [highlight, bookmark, boxed] = annotations.map(without)
  assert.equal(highlight, {
    kind: 'highlight',
    color: 'gray',
    style: 'solid',
    quote: '“handsome, clever,\nand rich” — café',
    note: 'the first\n"words"\n',
    chapter: 'Volume I',
    locators: { xpointer: '/body/DocFragment[3]/body/p[1]/text().16', xpointerEnd: '/body/DocFragment[3]/body/p[1]/text().42' },
    extra: { koreader: { drawer: 'lighten', pageno: 7 } },
    createdAtMs: local(2026, 7, 27, 9, 18, 26),
    updatedAtMs: local(2026, 7, 27, 9, 20, 46)
  })
  assert.equal(bookmark, {
    kind: 'bookmark',
    chapter: 'Volume II',
    locators: { xpointer: '/body/DocFragment[19]/body/p[123]/text().0' },
    extra: { koreader: { pageno: 235, text: 'in Volume II' } },
    createdAtMs: local(2026, 7, 27, 12, 57, 9),
    updatedAtMs: local(2026, 7, 27, 12, 57, 9)
  })
  assert.equal(
    [boxed!.style, boxed!.locators],
    ['underline', { pos0: '{"page":4,"x":10.5,"y":-3}', pos1: '{"page":4,"x":20,"y":0}', page: '4' }]
  )
  assert.equal(new Set(annotations.map(({ id }) => id)).size, 3)
})

test('an annotation of KOReader keeps its id when its note is edited', () => {
  const text = sample('metadata.epub.lua').toString()
  const ids = (lua: string): string[] => read(lua).books[0]!.annotations.map(({ id }) => id)
  assert.equal(ids(text.replace('the first', 'quite another').replace('09:20:46', '10:00:00')), ids(text))
})

test('the form before 2024 is read: highlights by page, notes from bookmarks, and not what KOReader made up', () => {
  const { books } = read(sample('metadata.old.lua'))
  const [{ book, annotations }] = books as [Reading['books'][number]]
  assert.equal([book.fields.title, book.identifiers], ['Alice', ['koreader:1ffd8a0a787b6f473e0a8757c45e3f73']])
  assert.equal(
    annotations.map(({ kind, quote, note, locators }) => [kind, quote, note, locators?.['xpointer']]),
    [
      ['highlight', 'Who are you?', 'my own words', '/body/DocFragment[7]/p[12].0'],
      ['highlight', 'CHAPTER V', undefined, '/body/DocFragment[7]/h2.0'],
      ['bookmark', undefined, undefined, '/body/DocFragment[8]/h2.0']
    ]
  )
})

test('Lua literals are read in every form, and nothing is run', () => {
  const value = (lua: string): unknown => {
    const [annotation] = read(
      `return { doc_props = {}, annotations = { { datetime = "x", pos0 = "p", text = "t", v = ${lua} } } }`
    ).books[0]!.annotations
    return (annotation!.extra!['koreader'] as Record<string, unknown>)['v']
  }
  const known: [string, unknown][] = [
    [
      String.raw`"a\65\x42\u{e9}\z   b\
c"`,
      'aABéb\nc'
    ],
    ["'\\'\\t\"'", '\'\t"'],
    ['[==[\n]]x]==]', ']]x'],
    ['"caf\\195\\169"', 'café'],
    ['0x1F', 31],
    ['-1.5e3', -1_500],
    ['{1, 2; 3,}', [1, 2, 3]],
    ['{[1] = "a", [2] = "b", n = true, ["x y"] = false}', { 1: 'a', 2: 'b', n: true, 'x y': false }],
    ['{ --[[ a comment ]] "a", -- another\n nil }', ['a']],
    ['math.huge', undefined],
    ['-nan', undefined]
  ]
  for (const [lua, wanted] of known) assert.equal(value(lua), wanted, lua)
  for (const lua of ['os.exit()', 'f "x"', '(1)', 'a', '1 + 1', 'function() end', '#{}', '"a" .. "b"', '1..2'])
    assert.throws(() => value(lua), /line 1: expected/, lua)
})

const clipping = (title: string, about: string, text = ''): string => `${title}\r\n${about}\r\n\r\n${text}\r\n==========\r\n`

test('clippings are read in each language that is known', () => {
  const at = local(2024, 3, 12, 21, 30, 15)
  const abouts = [
    '- Your Highlight on page 7 | Location 89-92 | Added on Tuesday, March 12, 2024 9:30:15 PM',
    '- Your Highlight on page 7 | location 89-92 | Added on Tuesday, 12 March 2024 21:30:15',
    '- Highlight on Page 7 | Loc. 89-92  | Added on Tuesday, 12 March 24 21:30:15 GMT+01:00',
    '- Ihre Markierung auf Seite 7 | Position 89-92 | Hinzugefügt am Dienstag, 12. März 2024 21:30:15',
    '- Votre surlignement sur la page 7 | emplacement 89-92 | Ajouté le mardi 12 mars 2024 à 21:30:15',
    '- Tu subrayado en la página 7 | posición 89-92 | Añadido el martes, 12 de marzo de 2024 21:30:15',
    '- La tua evidenziazione a pagina 7 | posizione 89-92 | Aggiunto in data martedì 12 marzo 2024 21:30:15',
    '- Seu destaque na página 7 | posição 89-92 | Adicionado: terça-feira, 12 de março de 2024 21:30:15',
    '- Je markering op pagina 7 | locatie 89-92 | Toegevoegd op dinsdag 12 maart 2024 21:30:15',
    '- 您在第 7 页（位置 #89-92）的标注 | 添加于 2024年3月12日星期二 下午9:30:15'
  ]
  for (const about of abouts)
    assert.equal(
      read(`\ufeff${clipping('Emma (Austen, Jane)', about, 'handsome, clever, and rich')}`).books.map(({ book, annotations }) => [
        book.fields,
        without(annotations[0]!)
      ]),
      [
        [
          { title: 'Emma', authors: ['Austen, Jane'] },
          {
            kind: 'highlight',
            quote: 'handsome, clever, and rich',
            locators: { page: '7', location: '89-92' },
            createdAtMs: at,
            updatedAtMs: at
          }
        ]
      ],
      about
    )
})

test('notes and bookmarks are told from highlights in each language', () => {
  const known: [string, string][] = [
    ['- Your Note on page 7 | location 92 | Added on Tuesday, 12 March 2024 21:30:15', 'note'],
    ['- Your Bookmark on Location 92 | Added on Tuesday, March 12, 2024 9:30:15 AM', 'bookmark'],
    ['- Ihre Notiz bei Position 92 | Hinzugefügt am Dienstag, 12. März 2024 21:30:15', 'note'],
    ['- Ihr Lesezeichen bei Position 92 | Hinzugefügt am Dienstag, 12. März 2024 21:30:15', 'bookmark'],
    ['- Votre note Emplacement 92 | Ajoutée le mardi 12 mars 2024 à 21:30:15', 'note'],
    ['- Votre signet Emplacement 92 | Ajouté le mardi 12 mars 2024 à 21:30:15', 'bookmark'],
    ['- Tu nota en la posición 92 | Añadido el martes, 12 de marzo de 2024 21:30:15', 'note'],
    ['- Tu marcador en la posición 92 | Añadido el martes, 12 de marzo de 2024 21:30:15', 'bookmark'],
    ['- La tua nota alla posizione 92 | Aggiunto in data martedì 12 marzo 2024 21:30:15', 'note'],
    ['- Il tuo segnalibro alla posizione 92 | Aggiunto in data martedì 12 marzo 2024 21:30:15', 'bookmark'],
    ['- Sua nota ou posição 92 | Adicionado: terça-feira, 12 de março de 2024 21:30:15', 'note'],
    ['- Seu marcador ou posição 92 | Adicionado: terça-feira, 12 de março de 2024 21:30:15', 'bookmark'],
    ['- 您在位置 #92 的笔记 | 添加于 2024年3月12日星期二 上午9:30:15', 'note'],
    ['- 您在位置 #92 的书签 | 添加于 2024年3月12日星期二 上午9:30:15', 'bookmark']
  ]
  for (const [about, kind] of known) {
    const [annotation] = read(clipping('Emma', about, 'words')).books[0]!.annotations
    assert.equal(
      [annotation!.kind, annotation!.quote, annotation!.note],
      [kind, undefined, kind === 'note' ? 'words' : undefined],
      about
    )
    assert.equal(annotation!.locators?.['location'], '92', about)
    assert.ok(annotation!.createdAtMs! > local(2024, 3, 12, 9, 0, 0), about)
  }
})

test('clippings are sorted by book; one in an unknown language is named, and one that may not be copied has no quote', () => {
  const about = '- Your Highlight on Location 9-10 | Added on Tuesday, 12 March 2024 21:30:15'
  const { books, leftOut } = read(
    clipping('Emma (Penguin) (Austen (née), Jane;Editor, An)', about, 'one') +
      clipping('\ufeffDracula', about, '<You have reached the clipping limit for this item>') +
      clipping('Emma', '- Þú merktir á síðu 5', 'two') +
      clipping('Emma (Penguin) (Austen (née), Jane;Editor, An)', about, 'three\r\nlines')
  )
  assert.equal(
    books.map(({ book, annotations }) => [book.fields.title, book.fields.authors, annotations.map(({ quote }) => quote)]),
    [
      ['Emma (Penguin)', ['Austen (née), Jane', 'Editor, An'], ['one', 'three\nlines']],
      ['Dracula', undefined, [undefined]]
    ]
  )
  assert.equal(leftOut, ['line 11: no clipping in a language that is known'])
  assert.throws(
    () => read(clipping('Emma', '- Þú merktir á síðu 5', 'two')),
    'none of its clippings is in a language that is known'
  )
})

const RECORD = {
  id: '6b1b4a3e-0d3c-4c1a-9d0e-3a0f3f1f8a11',
  status: 'organized',
  title: 'Emma',
  author: 'Jane Austen',
  isbn10: '0141439580',
  isbn13: '9780141439587',
  publisher: null,
  language: 'en',
  publishedYear: 1815,
  seriesIndex: 1.5,
  series: 'Novels',
  genres: ['Fiction'],
  tags: [],
  files: [],
  progress: {
    percentage: 0.42,
    status: 'finished',
    lastDevice: 'Kobo',
    lastTimestamp: 1_700_000_000,
    startedAt: '2023-01-01T00:00:00.000Z',
    manuallySet: true
  }
}

test('a library feed gives books and how far they were read', () => {
  const wanted = {
    id: RECORD.id,
    identifiers: ['isbn:9780141439587'],
    isRecord: true,
    fields: {
      title: 'Emma',
      authors: ['Jane Austen'],
      language: 'en',
      published: '1815',
      series: 'Novels',
      seriesIndex: 1.5,
      subjects: ['Fiction'],
      status: { state: 'finished', startedAtMs: Date.UTC(2023, 0, 1) }
    },
    position: { progression: 0.42, atMs: 1_700_000_000_000, device: 'Kobo' }
  }
  for (const form of [RECORD, [RECORD], { data: [RECORD], pagination: {}, serverTime: '2026-01-01T00:00:00.000Z' }]) {
    const { kind, books } = read(JSON.stringify(form))
    assert.equal([kind, books], ['book-sync', [{ book: wanted, annotations: [] }]])
  }
  const { status } = read(JSON.stringify({ ...RECORD, progress: { ...RECORD.progress, manuallySet: false } })).books[0]!.book
    .fields
  assert.is(status, undefined, 'what follows from the progress is not a word of somebody')
  assert.throws(() => read(JSON.stringify({ ...RECORD, title: 5 })), 'record 1: title is no text')
})

test('a file that is not sound says what is wrong, and where', () => {
  const wrong: [string | Uint8Array, RegExp][] = [
    ['', /no kind that is known/],
    ['hello', /no kind that is known/],
    ['{}', /no kind that is known/],
    ['[null]', /no kind that is known/],
    ['{"type":"AnnotationSet"}', /`items` are no list/],
    ['{"type":"AnnotationSet","items":[5]}', /item 1 is no annotation/],
    ['{"type":"AnnotationCollection","first":"http://a.example/page1"}', /not in the file itself/],
    ['{"type":"AnnotationPage","items":[{"type":"Annotation"},{"type":"Book"}]}', /item 2 is no annotation/],
    ['{"type":"AnnotationSet","items":[', /looks like JSON, and is none/],
    ['---\nlectern: annotations\n', /line 1: the head has no end/],
    ['---\nlectern: annotations\n---\n\n<!-- lectern {"id":"a"} -->\n', /line 5: the annotation has no end/],
    ['---\nlectern: annotations\n---\n<!-- lectern {"id" -->\n<!-- /lectern -->', /line 4: what the comment says is not JSON/],
    ['---\nlectern: annotations\n---\n<!-- lectern {} -->\n<!-- /lectern -->', /line 4: the annotation has no id/],
    ['return {\n  ["a"] = "b\n}', /line 2: expected a string that ends/],
    ['return { annotations = {} } x', /line 1: expected the end of the file/],
    ['return {}', /it is no book's file of KOReader/],
    [`return ${'{'.repeat(100)}`, /nested over 64 deep/],
    [
      `{"type":"AnnotationSet","items":[{"id":"a","lectern":{"extra":${'['.repeat(100_000)}${']'.repeat(100_000)}}}]}`,
      /nested over 64 deep/
    ],
    [
      `---\nlectern: annotations\n---\n<!-- lectern {"id":"a","extra":${'['.repeat(100_000)}${']'.repeat(100_000)}} -->\n<!-- /lectern -->`,
      /line 4: its values are nested over 64 deep/
    ],
    [new Uint8Array(MAX_FILE_BYTES + 1), /is over 33554432 bytes/]
  ]
  for (const [bytes, message] of wrong)
    assert.throws(
      () => read(bytes),
      (error: unknown) => error instanceof HubError && error.code === 'bad-request' && message.test(error.message),
      typeof bytes === 'string' ? bytes : 'a large one'
    )
})

test('an annotation that the library cannot keep is left out by name, and the others come', () => {
  const item = (quote: string): object => ({
    type: 'Annotation',
    id: 'urn:uuid:1',
    target: { source: 'a', selector: [{ type: 'TextQuoteSelector', exact: quote }] }
  })
  const { books, leftOut } = read(
    JSON.stringify({ type: 'AnnotationSet', about: { 'dc:title': 'Emma' }, items: [item('x'.repeat(16_385)), item('y')] })
  )
  assert.equal(
    books[0]!.annotations.map(({ quote }) => quote),
    ['y']
  )
  assert.equal(leftOut, ['annotation 1 of Emma: quote is not str 0..16384'])
})

test('whatever bytes come, they are read or refused, soon', () => {
  const samples = [
    sample('metadata.epub.lua'),
    sample('metadata.old.lua'),
    Buffer.from(
      clipping('Emma (Austen)', '- Your Highlight on page 7 | Location 89-92 | Added on Tuesday, March 12, 2024 9:30:15 PM', 'q')
    ),
    Buffer.from(JSON.stringify({ data: [RECORD] })),
    Buffer.from(
      JSON.stringify({
        type: 'AnnotationSet',
        about: { 'dc:identifier': ['urn:isbn:9780141439587'] },
        items: [
          {
            type: 'Annotation',
            id: 'a',
            created: '2026-01-01T00:00:00Z',
            target: { source: 'a', selector: [{ type: 'TextQuoteSelector', exact: 'q' }], meta: { page: '1' } },
            body: { type: 'TextualBody', value: 'n' }
          }
        ]
      })
    ),
    Buffer.from(
      '---\nlectern: annotations\nbook: "b"\n---\n\n<!-- lectern {"id":"a","quote":true} -->\n\n> q\n\nn\n\n<!-- /lectern -->\n'
    )
  ]
  const seed = Number(process.env['SEED'] ?? 7)
  const random = new Random(seed)
  const outcomes = { read: 0, refused: 0 }
  for (let count = 0; count < 6_000; count++) {
    let bytes: Uint8Array = random.pick(samples)
    for (let times = 1 + random.below(3); times > 0; times--) bytes = mutate(bytes, samples, random)
    try {
      readAnnotationFile(bytes)
      outcomes.read += 1
    } catch (error) {
      if (!(error instanceof HubError))
        throw new Error(`seed ${seed}, file ${count}: ${Buffer.from(bytes).toString('base64')}`, { cause: error })
      outcomes.refused += 1
    }
  }
  assert.ok(outcomes.read > 500 && outcomes.refused > 500, JSON.stringify(outcomes))
})

test('a file made to cost much costs no more than reading it', () => {
  const size = 1_000_000
  const files = [
    `return {${'"'.repeat(size)}`,
    `return {${' '.repeat(size)}`,
    `return { a = ${'-'.repeat(size)} }`,
    `return { a = ${'9'.repeat(size)} }`,
    `return { a = "${'\\65'.repeat(size / 4)}" }`,
    `return {${'[['.repeat(size / 2)}`,
    `${'('.repeat(size)})\n- Your Highlight on page 7 | Added on\n\nq\n==========\n`,
    `Emma\n- Your Highlight on page ${'1'.repeat(size)}\n\nq\n==========\n`,
    `Emma\n- Your Note ${'on page '.repeat(size / 8)}\n\nq\n==========\n`,
    `${'=========='.repeat(size / 10)}\n- \n`,
    '==========\n'.repeat(size / 10),
    `---\nlectern: annotations\n---\n${'<!-- lectern {"id":"a"} -->\n<!-- /lectern -->\n'.repeat(20_000)}`,
    '['.repeat(size),
    `{"type":"AnnotationSet","items":[{"id":"${'a:'.repeat(size / 2)}","created":"${'2'.repeat(size)}"}]}`
  ]
  for (const file of files) {
    const start = process.cpuUsage()
    try {
      read(file)
    } catch (error) {
      assert.instance(error, HubError, file.slice(0, 60))
    }
    const { user } = process.cpuUsage(start)
    // What is squared takes minutes here.
    assert.ok(user < 5_000_000, `${file.slice(0, 60)}: ${user} µs`)
  }
})

test.run()
