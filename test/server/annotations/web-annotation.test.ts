import * as assert from 'uvu/assert'
import type { Annotation } from '../../../server/annotations/annotation.ts'
import { readAnnotationFile } from '../../../server/annotations/read-file.ts'
import { itemOf } from '../../../server/annotations/web-annotation.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/annotations/web-annotation')

const target = { source: 'https://a.example/book', selector: { type: 'TextQuoteSelector', exact: 'q' } }
const read = (members: object): Annotation =>
  readAnnotationFile(Buffer.from(JSON.stringify({ id: 'urn:uuid:a', type: 'Annotation', target, ...members }))).books[0]!
    .annotations[0]!
const written = (annotation: Annotation): Record<string, any> =>
  itemOf(annotation, 'emma', { css: 'CssSelector', colors: [], styles: [], namesKinds: true, knowsBooks: false })

const tag = { type: 'TextualBody', value: 'to read', purpose: 'tagging' }
const comment = { type: 'TextualBody', value: 'mine', purpose: 'commenting' }

test('the note of an annotation with tags is its comment, wherever that stands, and the tags are kept', () => {
  for (const body of [
    [tag, comment],
    [comment, tag]
  ]) {
    const annotation = read({ body })
    assert.is(annotation.note, 'mine')
    assert.equal(written(annotation)['body'], [{ ...comment, format: 'text/plain' }, tag])
  }
  const tagged = read({ body: tag })
  assert.equal([tagged.note, tagged.kind, written(tagged)['body']], [undefined, 'highlight', tag])
})

test("a note that is said in the standard's short way is the note", () => {
  const annotation = read({ bodyValue: 'mine' })
  assert.equal([annotation.note, annotation.extra], ['mine', undefined])
  assert.equal(written(annotation)['body'], { ...comment, format: 'text/plain' })
})

test.run()
