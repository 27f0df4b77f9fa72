import * as assert from 'uvu/assert'
import { markdown } from '../../../server/annotations/markdown.ts'
import { readAnnotationFile } from '../../../server/annotations/read-file.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations/markdown')

const BOOK = {
  id: 'ab12',
  identifiers: ['isbn:9780141439587', 'koreader:59d481d168cca6267322f150c5f6a2a3'],
  fields: { title: "Ada's 1984", authors: ['Jane Austen', 'An Editor'] }
}
const HEAD = `book: "ab12"
title: "Ada's 1984"
authors: ["Jane Austen","An Editor"]
identifiers: ["isbn:9780141439587","koreader:59d481d168cca6267322f150c5f6a2a3"]
`

test('a file says which book it is about also when an editor wrote its head again in the short forms of YAML', () => {
  const file = markdown.begin(BOOK) + markdown.item({ id: 'a', note: 'mine' }, 'ab12', 0) + markdown.end(1)
  assert.ok(file.includes(HEAD))
  const heads = [
    HEAD,
    `book: ab12
title: 'Ada''s 1984'
authors:
  - Jane Austen
  - An Editor
identifiers:
- isbn:9780141439587
- "koreader:59d481d168cca6267322f150c5f6a2a3"
tags:
  - novels
aliases: []
rating: 5
`
  ]
  for (const head of heads) {
    const [{ book, annotations }] = readAnnotationFile(Buffer.from(file.replace(HEAD, head))).books as [any]
    assert.equal([book, annotations[0].note], [BOOK, 'mine'])
  }
  const [{ book }] = readAnnotationFile(Buffer.from(file.replace(HEAD, 'book: 12\ntitle: 1984\n'))).books as [any]
  assert.equal(book, { id: '12', identifiers: [], fields: { title: '1984' } })
})

test.run()
