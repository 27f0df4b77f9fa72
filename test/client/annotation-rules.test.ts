import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import * as client from '../../client/annotation-entries.ts'
import { ANNOTATION_DOCUMENT, HubError, type ActionBody } from '../../protocol/index.ts'
import * as hub from '../../server/core/documents/annotations.ts'
import { suite } from '../util/suite.ts'

const test = suite('client/annotation-rules')

type PutFields = Omit<ActionBody<'annotation.put'>, 'id'>
type Step = { put: PutFields } | { removedAtMs: number | undefined } | { set: unknown }
interface Case {
  readonly fact: string
  readonly steps: readonly Step[]
  /** What the last step leaves of the annotation; `same` when it changes nothing. */
  readonly leaves: object | 'same'
}

const made = { createdAtMs: 10, updatedAtMs: 10 }

/** Both ends edit the one document: whoever does it, and by whichever way, the result has to be the same. The first step is at 10, the next at 20 … */
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
    fact: 'what is no annotation is replaced by a put',
    steps: [{ set: 'text' }, { put: { color: 'red' } }],
    leaves: { note: '', color: 'red', createdAtMs: 20, updatedAtMs: 20 }
  }
]

const ENDS = {
  hub: {
    put: (doc: Y.Doc, fields: PutFields, atMs: number) => hub.putAnnotation(doc, 'a', fields, atMs),
    mark: (doc: Y.Doc, removedAtMs: number | undefined) => hub.markAnnotation(doc, 'a', removedAtMs),
    read: (doc: Y.Doc): object | undefined => hub.listAnnotations(doc)[0]?.[1]
  },
  client: {
    put: (doc: Y.Doc, fields: PutFields, atMs: number) => client.writeAnnotation(doc, { id: 'a', ...fields }, atMs),
    mark: (doc: Y.Doc, removedAtMs: number | undefined) => client.markAnnotation(doc, 'a', removedAtMs),
    read: (doc: Y.Doc): object | undefined => {
      const { id, ...fields } = client.readAnnotations(doc)[0] ?? {}
      return id === undefined ? undefined : fields
    }
  }
}

for (const { fact, steps, leaves } of CASES)
  test(`at both ends, ${fact}`, () => {
    for (const [name, { put, mark }] of Object.entries(ENDS)) {
      const doc = new Y.Doc()
      let before = Y.encodeStateAsUpdate(doc)
      for (const [index, step] of steps.entries()) {
        before = Y.encodeStateAsUpdate(doc)
        if ('set' in step) doc.getMap(ANNOTATION_DOCUMENT.root).set('a', step.set)
        else if ('put' in step) put(doc, step.put, (index + 1) * 10)
        else mark(doc, step.removedAtMs)
      }
      if (leaves === 'same') assert.equal(Y.encodeStateAsUpdate(doc), before, name)
      else for (const end of Object.values(ENDS)) assert.equal(end.read(doc), leaves, name)
    }
  })

test('a mark for an annotation that is not there is refused by the hub, and passed over by the client, who may not know of it yet', () => {
  const doc = new Y.Doc()
  assert.throws(
    () => ENDS.hub.mark(doc, 1),
    (error: unknown) => error instanceof HubError && error.code === 'not-found'
  )
  ENDS.client.mark(doc, 1)
  assert.is(doc.getMap(ANNOTATION_DOCUMENT.root).size, 0)
})

test.run()
