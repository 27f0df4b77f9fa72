import * as assert from 'uvu/assert'
import type { Annotation, Reading } from '../../../server/annotations/annotation.ts'
import { readAnnotationFile } from '../../../server/annotations/read-file.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations/kindle')

const read = (bytes: string | Uint8Array): Reading => readAnnotationFile(Buffer.from(bytes))
const local = (...parts: [number, number, number, number, number, number]): number =>
  new Date(parts[0], parts[1] - 1, ...(parts.slice(2) as [number, number, number, number])).getTime()
const clipping = (title: string, about: string, text = ''): string => `${title}\r\n${about}\r\n\r\n${text}\r\n==========\r\n`
const only = (about: string): Annotation => read(clipping('Emma', about, 'words')).books[0]!.annotations[0]!

const ABOUT = '- Your Highlight on page 7 | Location 89-92 | Added on Tuesday, March 12, 2024 9:30:15 PM'

test('a clipping in Russian, Japanese or Chinese is read, whatever dash or numeral stands in it', () => {
  const known: [about: string, kind: string, locators: object][] = [
    [
      '– Ваш выделенный отрывок на странице 7 | Место 89–92 | Добавлено: вторник, 12 марта 2024 г. в 21:30:15',
      'highlight',
      { page: '7', location: '89-92' }
    ],
    ['– Ваша заметка в месте 92 | Добавлено: вторник, 12 марта 2024 г. в 21:30:15', 'note', { location: '92' }],
    ['– Ваша закладка в месте 92 | Добавлено: вторник, 12 марта 2024 г. в 21:30:15', 'bookmark', { location: '92' }],
    ['- 7ページ|位置No. 89-92のハイライト |作成日: 2024年3月12日火曜日 21:30:15', 'highlight', { page: '7', location: '89-92' }],
    ['- 位置No. 92のメモ |作成日: 2024年3月12日火曜日 21:30:15', 'note', { location: '92' }],
    ['- 7ページ|位置No. 92のブックマーク |作成日: 2024年3月12日火曜日 21:30:15', 'bookmark', { page: '7', location: '92' }],
    ['- xiiページ|位置No. 92のメモ |作成日: 2024年3月12日火曜日 21:30:15', 'note', { page: 'xii', location: '92' }],
    ['- 您在第xii页（位置 #92）的笔记 | 添加于 2024年3月12日星期二 下午9:30:15', 'note', { page: 'xii', location: '92' }]
  ]
  for (const [about, kind, locators] of known) {
    const found = only(about)
    assert.equal([found.kind, found.locators, found.createdAtMs], [kind, locators, local(2024, 3, 12, 21, 30, 15)], about)
  }
})

test('a Kindle that writes its dates in English is understood in every language', () => {
  const known: [about: string, locators: object][] = [
    ['- Deine Markierung bei Position 89-92 | Hinzugefügt am Sunday, October 13, 2024 9:30:15 PM', { location: '89-92' }],
    ['- Je highlight op locatie 89 t/m 92 | Toegevoegd op Sunday, October 13, 2024 9:30:15\u202fPM', { location: '89-92' }],
    ['- Votre surlignement à lʼemplacement 89-92 | Ajouté le Sunday, 13 October 2024 21:30:15', { location: '89-92' }],
    [
      '- Tu subrayado en la página 7 | posición 89-92 | Añadido el Sunday, October 13, 2024 9:30:15 PM',
      { page: '7', location: '89-92' }
    ],
    ['- La tua evidenziazione a pagina 7 | Aggiunto in data Sunday, 13 October, 2024 9:30:15 PM', { page: '7' }],
    [
      '- Seu destaque na página xiv | posição 89-92 | Adicionado: Sunday, October 13, 2024 9:30:15 PM',
      { page: 'xiv', location: '89-92' }
    ],
    ['– Ваш выделенный отрывок в месте 89–92 | Добавлено: Sunday, October 13, 2024 в 9:30:15 PM', { location: '89-92' }],
    ['- 位置No. 89-92のハイライト |作成日: Sunday, October 13, 2024 9:30:15 PM', { location: '89-92' }],
    ['- 您在第 7 页（位置 #89-92）的标注 | 添加于 Sunday, October 13, 2024 9:30:15 PM', { page: '7', location: '89-92' }]
  ]
  for (const [about, locators] of known) {
    const found = only(about)
    assert.equal([found.kind, found.locators, found.createdAtMs], ['highlight', locators, local(2024, 10, 13, 21, 30, 15)], about)
  }
})

test('what was underlined or circled on a Kindle is a highlight of that style', () => {
  for (const style of ['underline', 'circle', 'asterisk']) {
    const about = `- Your ${style[0]!.toUpperCase()}${style.slice(1)} on page xii | Location 89 | Added on Tuesday, March 12, 2024 9:30:15 PM`
    const { kind, style: read, quote, locators } = only(about)
    assert.equal([kind, read, quote, locators], ['highlight', style, 'words', { page: 'xii', location: '89' }])
  }
})

test('a title whose line ends with two blanks has no author, and keeps its parentheses', () => {
  const { books } = read(clipping('Gödel (An Eternal Braid)  ', ABOUT) + clipping('Gödel (An Eternal Braid) (Hofstadter)', ABOUT))
  assert.equal(
    books.map(({ book }) => book.fields),
    [{ title: 'Gödel (An Eternal Braid)' }, { title: 'Gödel (An Eternal Braid)', authors: ['Hofstadter'] }]
  )
})

test('a file of clippings is known as one whatever its first title begins with, and by blank lines before it', () => {
  for (const start of ['[Austen] ', '{', '-- ', 'return ', '\ufeff\r\n\r\n']) {
    const { kind, books } = read(clipping(`${start}Emma`, ABOUT, 'words'))
    assert.equal([kind, books[0]!.annotations[0]!.quote], ['kindle', 'words'], start)
  }
})

test('a clipping without its end is named, and the others come', () => {
  const { books, leftOut } = read(clipping('Emma', ABOUT, 'one') + clipping('Emma', ABOUT, 'two').replace(/=+\r\n$/, ''))
  assert.equal(
    books[0]!.annotations.map(({ quote }) => quote),
    ['one']
  )
  assert.equal(leftOut, ['line 6: the clipping has no end, a line of =========='])
})

test('clippings in UTF-16 come as they are', () => {
  const text = `\ufeff${clipping('Größe', ABOUT, 'Straße – 道')}`
  const little = Buffer.from(text, 'utf16le')
  for (const bytes of [little, Buffer.from(little).swap16()]) assert.equal(read(bytes), read(text))
})

test('no word comes in with other letters than were written: what is not in UTF-8 is named or refused', () => {
  const latin1 = Buffer.from(clipping('Emma', ABOUT, 'Stra\xdfe') + clipping('Emma', ABOUT, 'plain'), 'latin1')
  const { books, leftOut } = read(latin1)
  assert.equal([books[0]!.annotations.map(({ quote }) => quote), leftOut], [['plain'], ['line 1: the clipping is not in UTF-8']])
  assert.is(read(clipping('Emma', ABOUT, 'a \ufffd in the book')).books[0]!.annotations[0]!.quote, 'a \ufffd in the book')
  const others = [
    clipping('Emma', ABOUT, 'Stra\xdfe'),
    '{"type":"Annotation","id":"a","bodyValue":"Stra\xdfe","target":"x"}',
    '---\nlectern: annotations\n---\n\n<!-- lectern {"id":"a"} -->\n\nStra\xdfe\n\n<!-- /lectern -->\n',
    'return { ["annotations"] = { [1] = { ["page"] = "/a", ["pos0"] = "/a", ["text"] = "Stra\xdfe" } } }',
    '{ ["annotations"] = { [1] = { ["page"] = "/a", ["pos0"] = "/a", ["text"] = "Stra\xdfe" } } }'
  ]
  for (const text of others) assert.throws(() => read(Buffer.from(text, 'latin1')), /it is not in UTF-8/)
  const halved = Buffer.from(`\ufeff${clipping('Emma', ABOUT, 'half \ud83d of a pair')}`, 'utf16le')
  for (const bytes of [halved, Buffer.from(halved).swap16()]) assert.throws(() => read(bytes), /it begins as UTF-16, and is none/)
})

test.run()
