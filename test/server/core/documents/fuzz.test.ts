import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, HubError, putAnnotation } from '../../../../protocol/index.ts'
import { Document } from '../../../../server/core/documents/document.ts'
import type { AnnotationHistoryRecord } from '../../../../server/core/records.ts'
import { snapshotAtOnce, LoggedDocument, momentOf, stateOf } from '../../../util/document-trace.ts'
import { Random } from '../../../util/random.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents: fuzz')

const SEEDS = Number(process.env['FUZZ_SEEDS'] ?? 40)
const MUTANTS_PER_SEED = 600
const ROUNDS = 24

/** One edit as an annotating client makes it. */
function edit(doc: Y.Doc, random: Random): Uint8Array {
  return updateOf(doc, annotations => {
    const ids = [...annotations.keys()]
    const entry = ids.length === 0 ? undefined : annotations.get(random.pick(ids))
    const note = entry instanceof Y.Map ? (entry.get('note') as unknown) : undefined
    const kind = random.below(8)
    if (!(entry instanceof Y.Map) || kind === 0)
      annotations.set(`a${random.below(9)}`, noteOf('note', { color: 'red', extra: { n: [1, 2] } }))
    else if (kind === 1) annotations.delete(random.pick(ids))
    else if (kind === 2) entry.set('color', random.pick(['red', 'green', 'blue']))
    else if (kind === 3) entry.set('removedAtMs', random.below(1_000))
    else if (!(note instanceof Y.Text)) entry.set('note', new Y.Text('new'))
    else if (kind === 4 && note.length > 2) note.delete(random.below(note.length - 1), 1)
    else if (kind === 5 && note.length > 0) note.format(0, note.length, { bold: true })
    else note.insert(random.below(note.length + 1), random.pick(['some words ', 'é', '👍']))
  })
}

/** A document that two devices and the hub have written in, and updates of device `one` that fit it or once did. */
function scene(random: Random): { logged: LoggedDocument; updates: Uint8Array[]; one: Y.Doc } {
  const logged = new LoggedDocument()
  const one = docOf(11)
  const two = docOf(22)
  const updates: Uint8Array[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const [doc, device] = random.chance(0.5) ? ([one, 'one'] as const) : ([two, 'two'] as const)
    Y.applyUpdate(doc, logged.document.encode())
    updates.push(edit(doc, random))
    logged.apply(updates.at(-1)!, device)
    if (random.chance(0.2))
      updates.push(logged.edit(hub => putAnnotation(hub, 'hub', { note: `n${round}`, color: 'red' }, round)))
  }
  Y.applyUpdate(one, logged.document.encode())
  const base = Y.encodeStateVector(one)
  for (let more = 0; more < 4; more++) updates.push(edit(one, random))
  updates.push(Y.encodeStateAsUpdate(one, base), Y.encodeStateAsUpdate(one))
  return { logged, updates, one }
}

/** What a broken client, a broken line or an enemy makes of an update. */
function mutate(update: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  const bytes = [...update]
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(bytes.length + 1)
    switch (random.below(8)) {
      case 0:
        bytes.splice(at)
        break
      case 1:
        bytes.splice(at, 0, random.below(256))
        break
      case 2:
        bytes.splice(at, 1 + random.below(4))
        break
      case 3: {
        const other = random.pick(others)
        bytes.splice(at, random.below(8), ...other.subarray(random.below(other.length)))
        break
      }
      case 4:
        bytes[at] = random.pick([0, 1, 127, 128, 255])
        break
      case 5:
        bytes[at] = ((bytes[at] ?? 0) + random.pick([1, -1])) & 255
        break
      default:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    }
  }
  return Uint8Array.from(bytes)
}

test(`of ${SEEDS * MUTANTS_PER_SEED} mutated updates the refused ones change nothing, and with the accepted ones the document reloads equal`, () => {
  let accepted = 0
  let refused = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed)
    let { logged, updates } = scene(random)
    let bytes = logged.document.encode()
    let before = stateOf(logged.document)
    let fresh = 0
    for (let count = 0; count < MUTANTS_PER_SEED; count++) {
      const mutant = mutate(random.pick(updates), updates, random)
      const where = `seed ${seed}, mutant ${count}`
      try {
        logged.apply(mutant, random.pick(['one', 'two', 'three']))
        accepted += 1
        fresh += 1
        assert.equal(stateOf(logged.rebuilt()), stateOf(logged.document), where)
      } catch (error) {
        if (!(error instanceof HubError)) throw error
        refused += 1
        if (!isSame(logged.document.encode(), bytes)) assert.equal(stateOf(logged.document), before, where)
      }
      if (fresh > 40) {
        fresh = 0
        ;({ logged, updates } = scene(random))
      }
      if (!isSame(logged.document.encode(), bytes)) {
        bytes = logged.document.encode()
        before = stateOf(logged.document)
      }
    }
  }
  assert.ok(accepted > 500 && refused > 10_000, `${accepted} accepted, ${refused} refused`)
})

test('a document is the same however it came into memory: live, from its log, from a snapshot, from a snapshot and the rest', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed * 7_919)
    const { logged, one } = scene(random)
    const cut = random.below(logged.log.length)
    const stored = new Map<string, AnnotationHistoryRecord>()
    const keepVersions = ({ versions }: Document): void => {
      for (const [id, history] of versions.takeHistories()) stored.set(id, history)
    }
    const early = Document.open('epoch', undefined, logged.log.slice(0, cut), id => stored.get(id))
    keepVersions(early)
    const restored = Document.open('epoch', snapshotAtOnce(early), logged.log.slice(cut), id => stored.get(id))
    keepVersions(restored)
    const again = Document.open('epoch', snapshotAtOnce(restored), [])
    assert.equal(stored, logged.document.versions.takeHistories(), `seed ${seed}`)
    for (const document of [logged.rebuilt(), restored, again])
      assert.equal(stateOf(document), stateOf(logged.document), `seed ${seed}`)
    for (const document of [logged.document, restored, again]) {
      const update = document.edit(
        hub => putAnnotation(hub, idIn(document), { chapter: `seed ${seed}` }, seed),
        momentOf('plain')
      )
      assert.equal([...Y.parseUpdateMeta(update).to.keys()].length, 1)
    }
    Y.applyUpdate(one, again.encode())
  }
})

const idIn = (document: Document): string => {
  const annotations = document.doc.getMap(ANNOTATION_DOCUMENT.root)
  const id = [...annotations.keys()].find(id => annotations.get(id) instanceof Y.Map)
  if (id !== undefined) return id
  document.edit(doc => putAnnotation(doc, 'new', {}, 1), momentOf('plain'))
  return 'new'
}

const isSame = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0

test.run()
