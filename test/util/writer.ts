import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { LIMITS, type Plain, type WireAction } from '../../protocol/index.ts'
import { WireClient } from './wire-client.ts'

/** What they write about. */
const BOOKS = ['moby', 'emma']

/** A device that writes without pause, and keeps its own account of what was acked. */
export class Writer {
  readonly wire = new WireClient()
  readonly token: string
  readonly device: string
  /** What the hub has acked: number → cursor. */
  readonly acked = new Map<number, number>()
  readonly sent = new Map<number, WireAction>()
  readonly unanswered = new Map<number, WireAction>()
  /** Is told of each frame of answers. */
  onAcked: () => void = () => undefined
  readonly docs = new Map(BOOKS.map(book => [book, new Y.Doc()]))
  #lastNumber = 0
  #random: () => number
  failure: string | undefined

  constructor({ token, device }: { token: string; device: string }, random: () => number) {
    this.token = token
    this.device = device
    this.#random = random
    this.wire.onFrame = frame => {
      if (frame.kind !== 'acked') return
      for (const [number, cursor] of frame.accepted) {
        const before = this.acked.get(number)
        if (before !== undefined && before !== cursor) this.failure = `action ${number} was acked at ${before} and at ${cursor}`
        this.acked.set(number, cursor)
        this.unanswered.delete(number)
      }
      for (const [number, code, message] of frame.refused) this.failure = `action ${number} was refused: ${code} ${message}`
      this.onAcked()
    }
  }

  /** Sends again all that is unanswered, and some of what was answered and is remembered by the hub. It never confirms an answer. */
  async connect(url: string): Promise<void> {
    await this.wire.connect(url, this.token)
    const again = [...this.sent.values()]
      .slice(-LIMITS.maxKeptAnswers)
      .filter(([number]) => !this.acked.has(number) || this.#random() < 0.1)
      .slice(-1_000)
    if (again.length > 0) this.wire.send('push', { confirmed: 0, actions: again })
  }

  write(): void {
    const book = BOOKS[Math.floor(this.#random() * BOOKS.length)]!
    const number = ++this.#lastNumber
    const action: WireAction = [number, Date.now(), ...this.#content(book, number)]
    this.sent.set(number, action)
    this.unanswered.set(number, action)
    this.wire.send('push', { confirmed: 0, actions: [action] })
  }

  #content(book: string, number: number): [string, string, Plain] {
    const choice = this.#random()
    if (choice < 0.4) return ['position.set', book, { progression: this.#random(), locators: { cfi: `/6/${number}` } }]
    if (choice < 0.5) return ['setting.put', `size-${this.device}`, { value: number }]
    if (choice < 0.6) return ['annotation.put', book, { id: `${this.device}-plain`, note: `note ${number}` }]
    const doc = this.docs.get(book)!
    let update: Uint8Array | undefined
    const keep = (made: Uint8Array): void => void (update = made)
    doc.on('update', keep)
    doc
      .getMap('annotations')
      .set(`${this.device}-${number % 7}`, new Y.Map(Object.entries({ color: 'red', note: new Y.Text(`note ${number}`) })))
    doc.off('update', keep)
    return ['annotation.update', book, update!]
  }
}

/** Numbers that repeat from run to run. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

export const ackedBy = (writers: readonly Writer[]): number => writers.reduce((sum, { acked }) => sum + acked.size, 0)

/** All of them write, each with `onTheWay` actions that are not answered yet, until `more` are acked. */
export async function writeUntilAcked(writers: readonly Writer[], more: number, onTheWay: number): Promise<void> {
  const enough = ackedBy(writers) + more
  while (ackedBy(writers) < enough) {
    for (const writer of writers) while (writer.unanswered.size < onTheWay) writer.write()
    await new Promise<void>(resolve => {
      for (const writer of writers) writer.onAcked = resolve
    })
  }
}

/** Once all have their answers: nothing that was acked is lost or doubled, and all devices have the same, which is what the hub has. */
export async function lostNothing(writers: readonly Writer[], url: string): Promise<void> {
  await Promise.all(writers.map(writer => writer.connect(url)))
  for (const writer of writers) while (writer.unanswered.size > 0) await writer.wire.next('acked')
  const heads = new Map<string, number>()
  for (const writer of writers)
    heads.set(writer.wire.epoch, Math.max(heads.get(writer.wire.epoch) ?? 0, ...writer.acked.values()))
  for (const writer of writers) await writer.wire.upTo(heads.get(writer.wire.epoch)!)

  for (const writer of writers) {
    assert.is(writer.failure, undefined)
    const own = writer.wire.changes.filter(([, , device]) => device === writer.device).filter(([, , , , number]) => number > 0)
    const numbers = own.map(([, , , , number]) => number)
    assert.equal(new Set(numbers).size, numbers.length, 'an action took effect twice')
    assert.equal(numbers.length, writer.sent.size, 'an action is missing')
    for (const [cursor, , , , number] of own) assert.is(writer.acked.get(number), cursor)
    for (const other of writers.filter(({ wire }) => wire.epoch === writer.wire.epoch))
      assert.equal(
        other.wire.changes.map(change => change.slice(0, 8)),
        writer.wire.changes.map(change => change.slice(0, 8))
      )
    await equalsHub(writer.wire)
  }
}

/** What the log says, folded here by other code, is what the hub's views say. */
async function equalsHub(wire: WireClient): Promise<void> {
  const docs = new Map(BOOKS.map(book => [book, new Y.Doc()]))
  const positions = new Map<string, Plain>()
  const settings = new Map<string, Plain>()
  for (const [, , device, , , , kind, key, body] of wire.changes) {
    if (kind === 'annotation.update') Y.applyUpdate(docs.get(key)!, body as Uint8Array)
    if (kind === 'position.set') positions.set(`${key} ${device}`, (body as { progression: number }).progression)
    if (kind === 'setting.put') settings.set(key, (body as { value: number }).value)
  }
  const inHub = await wire.list('settings')
  assert.equal(
    new Map(inHub.map(([name, { value }]) => [name, value!])),
    new Map([...settings].sort(([left], [right]) => (left < right ? -1 : 1)))
  )
  for (const [book, doc] of docs) {
    const hubDoc = new Y.Doc()
    Y.applyUpdate(hubDoc, await wire.document(book))
    assert.equal(hubDoc.getMap('annotations').toJSON(), doc.getMap('annotations').toJSON())
    for (const [device, { progression }] of await wire.list('positions', book))
      assert.is(progression, positions.get(`${book} ${device}`))
  }
}
