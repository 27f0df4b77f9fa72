import * as assert from 'uvu/assert'
import type { ReadBook } from '../../../server/annotations/annotation.ts'
import { readAnnotationFile } from '../../../server/annotations/read-file.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations/koreader')

const read = (lua: string): ReadBook => readAnnotationFile(Buffer.from(lua)).books[0]!

test('a highlight of pages is the same one in whatever order KOReader writes its tables', () => {
  const file = (pos0: string, boxes: string): string =>
    `return { ["annotations"] = { [1] = { ["datetime"] = "2021-03-12 10:00:00", ["drawer"] = "lighten", ["page"] = 4, ["text"] = "q", ["pos0"] = { ${pos0} }, ["pboxes"] = { ${boxes} } } }, ["doc_props"] = { ["title"] = "A" } }`
  const once = read(file('["page"] = 4, ["x"] = 1.5, ["y"] = -2', '[1] = { ["x"] = 1 }, [2] = { ["x"] = 2 }'))
  const again = read(file('["y"] = -2, ["x"] = 1.5, ["page"] = 4', '[2] = { ["x"] = 2 }, [1] = { ["x"] = 1 }'))
  assert.equal(again, once)
  assert.equal(once.annotations[0]!.extra, { koreader: { drawer: 'lighten', pboxes: [{ x: 1 }, { x: 2 }] } })
})

test('in the form before 2024 a highlight of which only the bookmark is left comes with its quote and its note', () => {
  const { annotations } = read(`return {
    ["highlight"] = { [3] = { [1] = { ["datetime"] = "2022-03-12 10:00:00", ["drawer"] = "lighten", ["text"] = "one", ["pos0"] = "/a", ["pos1"] = "/b" } } },
    ["bookmarks"] = {
      [1] = { ["datetime"] = "2022-03-14 10:00:00", ["highlighted"] = true, ["notes"] = "three", ["page"] = "/e", ["pos0"] = "/e", ["pos1"] = "/f", ["text"] = "Page 9 three @ 2022-03-14 10:00:00" },
      [2] = { ["datetime"] = "2022-03-13 10:00:00", ["highlighted"] = true, ["notes"] = "two", ["page"] = "/c", ["pos0"] = "/c", ["pos1"] = "/d", ["text"] = "mine" },
      [3] = { ["datetime"] = "2022-03-12 10:00:00", ["highlighted"] = true, ["notes"] = "one", ["page"] = "/a", ["pos0"] = "/a", ["pos1"] = "/b" },
    },
    ["doc_props"] = { ["title"] = "A" },
  }`)
  assert.equal(
    annotations.map(({ kind, quote, note, locators }) => [kind, quote, note, locators]),
    [
      ['highlight', 'one', undefined, { xpointer: '/a', xpointerEnd: '/b' }],
      ['highlight', 'three', undefined, { xpointer: '/e', xpointerEnd: '/f' }],
      ['highlight', 'two', 'mine', { xpointer: '/c', xpointerEnd: '/d' }]
    ]
  )
})

test('a book of which KOReader knows no title has none, and not the word that its statistics have for that', () => {
  const { book } = read('return { ["stats"] = { ["title"] = "N/A", ["authors"] = "N/A" }, ["annotations"] = {} }')
  assert.equal(book.fields, {})
})

test.run()
