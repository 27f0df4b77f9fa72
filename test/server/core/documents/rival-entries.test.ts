import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { decodeValue, type Plain } from '../../../../protocol/index.ts'
import { listAnnotations } from '../../../../server/core/documents/annotations.ts'
import { Document } from '../../../../server/core/documents/document.ts'
import { coreHub, type TestClient } from '../../../util/core-hub.ts'
import { snapshotAtOnce, LoggedDocument } from '../../../util/document-trace.ts'
import { Random } from '../../../util/random.ts'
import { suite } from '../../../util/suite.ts'
import { docOf, noteOf, updateOf } from '../../../util/yjs-update.ts'

const test = suite('server/core/documents: rival entries')

/** The note of an annotation as the view has it. */
async function noteIn(client: TestClient): Promise<Plain> {
  const [[, found]] = (await client.list('annotations', 'b')) as [[string, { [field: string]: Plain }]]
  return found['note']!
}

test('what two devices put under one id is there after both have come, and can be restored by either', async () => {
  for (const [first, second] of [
    [7, 9],
    [9, 7]
  ] as const) {
    const core = coreHub()
    const { devices } = await core.account('phone', 'tablet')
    const [phone, tablet] = [core.connect(), core.connect()]
    await phone.hello(devices['phone']!.token)
    await tablet.hello(devices['tablet']!.token)
    const put = (clientID: number, note: string): Uint8Array =>
      updateOf(docOf(clientID), annotations => annotations.set('page-7', noteOf(note, { color: note })))
    await phone.ask(1, 'annotation.update', 'b', put(first, 'from the phone'))
    await tablet.ask(1, 'annotation.update', 'b', put(second, 'from the tablet'))
    const held = await noteIn(phone)
    const other = held === 'from the phone' ? 'from the tablet' : 'from the phone'
    const versions = await phone.list('annotation-history', 'b', 'page-7')
    assert.equal(
      versions.map(([, { note, color }]) => [note, color]),
      [[other, other]]
    )
    await phone.ask(2, 'annotation.restore', 'b', { id: 'page-7', cursor: versions[0]![1]['cursor']! })
    assert.is(await noteIn(tablet), other)
    const again = await phone.list('annotation-history', 'b', 'page-7')
    assert.ok(again.some(([, { note }]) => note === held))
  }
})

test('a rival under an id that the hub has no annotation of any more is kept, too', () => {
  const logged = new LoggedDocument()
  const [maker, rival] = [docOf(9), docOf(7)]
  logged.apply(
    updateOf(maker, annotations => annotations.set('a', noteOf('made'))),
    'one'
  )
  logged.apply(
    updateOf(maker, annotations => annotations.delete('a')),
    'one'
  )
  logged.apply(
    updateOf(rival, annotations => annotations.set('a', noteOf('wanted'))),
    'two'
  )
  assert.equal(new Set(notesOf(logged.document, 'a')), new Set(['made', 'wanted']))
})

test('of a rival entry that loses, what its author deleted or wrote over is not brought back', () => {
  const logged = new LoggedDocument()
  const rival = docOf(7)
  const updates = [
    updateOf(rival, annotations => annotations.set('a', noteOf('wrong words', { color: 'red' }))),
    updateOf(rival, annotations => {
      const entry = annotations.get('a') as Y.Map<Y.Text>
      entry.get('note')!.delete(0, 6)
      ;(entry as Y.Map<unknown>).set('color', 'blue')
    })
  ]
  logged.apply(
    updateOf(docOf(9), annotations => annotations.set('a', noteOf('first'))),
    'one'
  )
  logged.apply(Y.mergeUpdates(updates), 'two')
  assert.equal(versionsOf(logged.document, 'a'), [{ note: 'words', color: 'blue' }])
})

test('whatever is put under a few ids by devices that do not hear of each other stands there or is a version, also once the log is read again', () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = new Random(seed)
    const logged = new LoggedDocument()
    const editors = Array.from({ length: 4 }, (_, index) => ({
      name: `d${index}`,
      doc: docOf(100 + random.below(1_000) * 4 + index)
    }))
    const brought: [id: string, note: string][] = []
    const unsent = new Map(editors.map(({ name }) => [name, [] as Uint8Array[]]))
    let folded: { before: number; document: Document } | undefined
    for (let step = 0; step < 40; step++) {
      const { name, doc } = random.pick(editors)
      const id = `page-${random.below(4)}`
      const note = `note ${step}`
      if (random.chance(0.5) && !doc.getMap('annotations').has(id)) {
        brought.push([id, note])
        unsent.get(name)!.push(updateOf(doc, annotations => annotations.set(id, noteOf(note))))
      } else if (random.chance(0.2)) {
        Y.applyUpdate(doc, logged.document.encode())
      } else {
        const all = unsent.get(name)!.splice(0)
        if (all.length > 0 && random.chance(0.5)) logged.apply(Y.mergeUpdates(all), name)
        else for (const update of all) logged.apply(update, name)
      }
      if (folded === undefined && step > 20) folded = { before: logged.log.length, document: logged.rebuilt() }
    }
    for (const { name } of editors) for (const update of unsent.get(name)!) logged.apply(update, name)
    const standing = new Map(listAnnotations(logged.document.doc))
    for (const [id, note] of brought) {
      const kept = [standing.get(id)?.['note'], ...notesOf(logged.document, id)]
      assert.ok(kept.includes(note), `seed ${seed}: ${note} of ${id} is not kept`)
    }
    const snapshot = snapshotAtOnce(folded!.document)
    const histories = folded!.document.versions.takeHistories()
    const reopened = Document.open('epoch', snapshot, logged.log.slice(folded!.before), id => histories.get(id))
    for (const id of new Set(brought.map(([id]) => id)))
      for (const other of [logged.rebuilt(), reopened])
        assert.equal(other.versions.historyOf(id), logged.document.versions.historyOf(id), `seed ${seed}`)
  }
})

const versionsOf = (document: Document, id: string): Plain[] =>
  (document.versions.historyOf(id)?.versions ?? []).map(({ fields }) => decodeValue(fields))

const notesOf = (document: Document, id: string): Plain[] =>
  versionsOf(document, id).map(version => (version as { note: Plain }).note)

test.run()
