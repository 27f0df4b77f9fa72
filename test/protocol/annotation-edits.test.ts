import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { copyAnnotations, readAnnotations } from '../../client/annotation-entries.ts'
import { ANNOTATION_DOCUMENT, HubError, markAnnotation, putAnnotation, type ActionBody } from '../../protocol/index.ts'
import { listAnnotations, markKnownAnnotation } from '../../server/core/documents/annotations.ts'
import { suite } from '../util/suite.ts'

const test = suite('protocol/annotation-edits')

type PutFields = Omit<ActionBody<'annotation.put'>, 'id'>
type Step = { put: PutFields } | { removedAtMs: number | undefined } | { set: unknown }
interface Case {
  readonly fact: string
  readonly steps: readonly Step[]
  /** What the last step leaves of the annotation; `same` when it changes nothing. */
  readonly leaves: object | 'same'
}

const made = { createdAtMs: 10, updatedAtMs: 10 }

/** The first step is at 10, the next at 20 … */
const CASES: readonly Case[] = [
  { fact: 'a put makes an annotation', steps: [{ put: { quote: 'q' } }], leaves: { ...made, quote: 'q', note: '' } },
  { fact: 'a put without fields makes one too', steps: [{ put: {} }], leaves: { ...made, note: '' } },
  {
    fact: 'a put says when an annotation was made elsewhere',
    steps: [{ put: { quote: 'q', createdAtMs: 5 } }],
    leaves: { ...made, quote: 'q', note: '', createdAtMs: 5 }
  },
  { fact: 'a put without fields changes nothing', steps: [{ put: { quote: 'q' } }, { put: {} }], leaves: 'same' },
  {
    fact: 'a put changes what is given',
    steps: [{ put: { quote: 'q', color: 'red' } }, { put: { color: 'blue', note: 'n' } }],
    leaves: { ...made, quote: 'q', color: 'blue', note: 'n', updatedAtMs: 20 }
  },
  {
    fact: 'nil clears',
    steps: [{ put: { quote: 'q', note: 'n' } }, { put: { quote: null, note: null } }],
    leaves: { ...made, note: '', updatedAtMs: 20 }
  },
  {
    fact: 'nil for what is not there changes nothing',
    steps: [{ put: {} }, { put: { quote: null, note: null } }],
    leaves: 'same'
  },
  {
    fact: 'a put of what is there changes nothing',
    steps: [
      { put: { quote: 'q', note: 'n', locators: { cfi: 'x', page: '1' }, extra: { list: [1, { a: null }] } } },
      { put: { quote: 'q', note: 'n', locators: { page: '1', cfi: 'x' }, extra: { list: [1, { a: null }] } } }
    ],
    leaves: 'same'
  },
  {
    fact: 'a remove marks',
    steps: [{ put: { quote: 'q' } }, { removedAtMs: 20 }],
    leaves: { ...made, quote: 'q', note: '', removedAtMs: 20 }
  },
  { fact: 'a repeated remove changes nothing', steps: [{ put: {} }, { removedAtMs: 20 }, { removedAtMs: 30 }], leaves: 'same' },
  {
    fact: 'a put does not restore',
    steps: [{ put: {} }, { removedAtMs: 20 }, { put: { color: 'red' } }],
    leaves: { ...made, note: '', color: 'red', removedAtMs: 20, updatedAtMs: 30 }
  },
  {
    fact: 'a restore takes the mark away',
    steps: [{ put: {} }, { removedAtMs: 20 }, { removedAtMs: undefined }],
    leaves: { ...made, note: '' }
  },
  { fact: 'a restore of what is not removed changes nothing', steps: [{ put: {} }, { removedAtMs: undefined }], leaves: 'same' },
  { fact: 'a plain object is an annotation', steps: [{ set: { quote: 'q', note: 'n' } }], leaves: { quote: 'q', note: 'n' } },
  {
    fact: 'a plain object is changed like a map',
    steps: [{ set: { quote: 'q', note: 'n' } }, { put: { note: 'm', color: 'red' } }],
    leaves: { quote: 'q', note: 'm', color: 'red', updatedAtMs: 20 }
  },
  {
    fact: 'a put of what a plain object holds changes nothing',
    steps: [{ set: { quote: 'q', note: 'n' } }, { put: { quote: 'q', note: 'n' } }],
    leaves: 'same'
  },
  {
    fact: 'a plain object is removed',
    steps: [{ set: { quote: 'q' } }, { removedAtMs: 20 }],
    leaves: { quote: 'q', removedAtMs: 20 }
  },
  {
    fact: 'a removed plain object is restored',
    steps: [{ set: { quote: 'q', removedAtMs: 5 } }, { removedAtMs: undefined }],
    leaves: { quote: 'q' }
  },
  {
    fact: 'a restore of a plain object changes nothing',
    steps: [{ set: { quote: 'q' } }, { removedAtMs: undefined }],
    leaves: 'same'
  },
  {
    fact: 'a put of other fields leaves a note that is no text',
    steps: [{ set: { note: ['a', 'b'] } }, { put: { color: 'red' } }],
    leaves: { note: ['a', 'b'], color: 'red', updatedAtMs: 20 }
  },
  {
    fact: 'what is no annotation is replaced by a put',
    steps: [{ set: 'text' }, { put: { color: 'red' } }],
    leaves: { note: '', color: 'red', createdAtMs: 20, updatedAtMs: 20 }
  }
]

/** How the two ends read the one document. */
const READERS = {
  hub: (doc: Y.Doc): object | undefined => listAnnotations(doc)[0]?.[1],
  client: (doc: Y.Doc): object | undefined => {
    const { id, ...fields } = readAnnotations(doc)[0] ?? {}
    return id === undefined ? undefined : fields
  }
}

for (const { fact, steps, leaves } of CASES)
  test(fact, () => {
    const doc = new Y.Doc()
    let before = Y.encodeStateAsUpdate(doc)
    for (const [index, step] of steps.entries()) {
      before = Y.encodeStateAsUpdate(doc)
      if ('set' in step) doc.getMap(ANNOTATION_DOCUMENT.root).set('a', step.set)
      else if ('put' in step) putAnnotation(doc, 'a', step.put, (index + 1) * 10)
      else markAnnotation(doc, 'a', step.removedAtMs)
    }
    if (leaves === 'same') assert.equal(Y.encodeStateAsUpdate(doc), before)
    else for (const [end, read] of Object.entries(READERS)) assert.equal(read(doc), leaves, end)
  })

test('a copy of annotations reads like them, with a note that is no text and without a time that they lack', () => {
  const from = new Y.Doc()
  from.getMap(ANNOTATION_DOCUMENT.root).set('a', { quote: 'q', note: ['a', 'b'] })
  const to = new Y.Doc()
  copyAnnotations(from, to)
  copyAnnotations(from, to)
  assert.equal(to.getMap(ANNOTATION_DOCUMENT.root).toJSON(), { a: { quote: 'q', note: ['a', 'b'] } })
})

test('a mark for an annotation that is not there is refused by the hub, and passed over by the client, who may not know of it yet', () => {
  const doc = new Y.Doc()
  assert.throws(
    () => markKnownAnnotation(doc, 'a', 1),
    (error: unknown) => error instanceof HubError && error.code === 'not-found'
  )
  assert.is(markAnnotation(doc, 'a', 1), false)
  assert.is(doc.getMap(ANNOTATION_DOCUMENT.root).size, 0)
})

test.run()
