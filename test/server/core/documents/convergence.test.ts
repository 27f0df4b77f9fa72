import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, HubError, putAnnotation } from '../../../../protocol/index.ts'
import { listAnnotations, markKnownAnnotation } from '../../../../server/core/documents/annotations.ts'
import { LoggedDocument, stateOf } from '../../../util/document-trace.ts'
import { Random } from '../../../util/random.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents: convergence')

const { root } = ANNOTATION_DOCUMENT

/** A device with a document of its own, which sends and hears when the test lets it. */
class Editor {
  readonly name: string
  readonly doc: Y.Doc
  /** What it made and the hub has not taken yet, in order. */
  readonly unsent: Uint8Array[] = []
  heard = 0

  constructor(name: string, client: number) {
    this.name = name
    this.doc = docOf(client)
  }

  edit(random: Random): void {
    const update = updateOf(this.doc, annotations => change(annotations, random))
    this.unsent.push(update)
  }
}

function change(annotations: Y.Map<unknown>, random: Random): void {
  const id = `a${random.below(5)}`
  const entry = annotations.get(id)
  if (!(entry instanceof Y.Map) || random.chance(0.05)) return void annotations.set(id, noteOf('hello', { color: 'red' }))
  const note: unknown = entry.get('note')
  const kind = random.below(6)
  if (kind === 0) annotations.delete(id)
  else if (kind === 1) entry.set('color', random.pick(['red', 'green', 'blue']))
  else if (kind === 2) entry.set('removedAtMs', random.below(100))
  else if (!(note instanceof Y.Text)) entry.set('note', new Y.Text('again'))
  else if (kind === 3 && note.length > 1) note.delete(random.below(note.length - 1), 2)
  else note.insert(random.below(note.length + 1), random.pick(['abc', ' ', '👍']))
}

/** What the hub does for a client without Yjs. */
function plainVerb(logged: LoggedDocument, random: Random, atMs: number): void {
  const id = `a${random.below(5)}`
  const note = random.pick(['hello', 'hello world', '', 'bye 👍', 'bye 👎'])
  try {
    logged.edit(doc => {
      const kind = random.below(4)
      if (kind === 0) markKnownAnnotation(doc, id, atMs)
      else if (kind === 1) markKnownAnnotation(doc, id, undefined)
      else putAnnotation(doc, id, { note, color: random.pick(['red', null]) }, atMs)
    })
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'not-found') throw error
  }
}

/** Sends some of what is unsent: one by one, again, as one, or all that the hub lacks. */
function push(logged: LoggedDocument, editor: Editor, random: Random): void {
  const { doc, unsent, name } = editor
  if (unsent.length === 0) return
  const kind = random.below(4)
  if (kind === 0) logged.apply(Y.mergeUpdates(unsent.splice(0)), name)
  else if (kind === 1) {
    logged.apply(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(logged.document.doc)), name)
    unsent.length = 0
  } else {
    const update = unsent.shift()!
    logged.apply(update, name)
    if (kind === 2) logged.apply(update, name)
  }
}

/** Hears some of the log: in order, or joined; some of it twice. */
function pull(logged: LoggedDocument, editor: Editor, random: Random): void {
  const end = editor.heard + random.below(logged.log.length - editor.heard + 1)
  const from = random.chance(0.2) ? Math.max(0, editor.heard - 3) : editor.heard
  const updates = logged.log.slice(from, end).map(({ update }) => update)
  if (updates.length === 0) return
  if (random.chance(0.3)) updates.splice(0, updates.length, Y.mergeUpdates(updates))
  for (const update of updates) Y.applyUpdate(editor.doc, update)
  editor.heard = end
}

test('editors that type, vanish, repeat themselves and hear late, among plain verbs, all end with what the hub has', () => {
  for (let seed = 1; seed <= 120; seed++) {
    const random = new Random(seed)
    const logged = new LoggedDocument()
    const editors = ['one', 'two', 'three'].map((name, index) => new Editor(name, 100 + index))
    for (let step = 0; step < 120; step++) {
      const editor = random.pick(editors)
      const kind = random.below(10)
      if (kind < 5) editor.edit(random)
      else if (kind < 7) push(logged, editor, random)
      else if (kind < 9) pull(logged, editor, random)
      else plainVerb(logged, random, step)
    }
    for (const editor of random.shuffle([...editors])) while (editor.unsent.length > 0) push(logged, editor, random)
    for (const editor of editors) for (const { update } of logged.log.slice(editor.heard)) Y.applyUpdate(editor.doc, update)
    const hub = stateOf(logged.document)
    assert.equal(stateOf(logged.rebuilt()), hub, `restart, seed ${seed}`)
    for (const { doc, name } of editors) {
      assert.equal(Y.encodeStateVector(doc), Y.encodeStateVector(logged.document.doc), `${name}, seed ${seed}`)
      assert.equal(listAnnotations(doc), listAnnotations(logged.document.doc), `${name}, seed ${seed}`)
      assert.equal(doc.getMap(root).toJSON(), logged.document.doc.getMap(root).toJSON(), `${name}, seed ${seed}`)
    }
  }
})

test('the log in any order that keeps each client behind itself gives the same document', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed)
    const logged = new LoggedDocument()
    const editors = ['one', 'two', 'three'].map((name, index) => new Editor(name, 100 + index))
    for (let step = 0; step < 60; step++) random.pick(editors).edit(random)
    const queues = editors.map(({ name, unsent }) => ({ name, unsent: [...unsent] }))
    while (queues.some(({ unsent }) => unsent.length > 0)) {
      const { name, unsent } = random.pick(queues.filter(({ unsent }) => unsent.length > 0))
      logged.apply(unsent.shift()!, name)
    }
    const shuffled = docOf(1)
    for (const { update } of random.shuffle([...logged.log])) Y.applyUpdate(shuffled, update)
    assert.equal(shuffled.getMap(root).toJSON(), logged.document.doc.getMap(root).toJSON(), `seed ${seed}`)
  }
})

test.run()
