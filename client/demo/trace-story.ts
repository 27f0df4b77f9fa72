import type { WireChange } from '../../protocol/index.ts'
import { connectNode, type Annotations, type Client } from '../node.ts'
import { WsConnection } from '../ws-connection.ts'
import { Cable } from './cable.ts'
import { DemoHub } from './hub.ts'
import { Lag } from './lag.ts'
import type { Report } from './report.ts'
import { readTrace, type Turn } from './trace.ts'

const BOOK = 'friends'
const NOTE = 'note'
const KILLS = 3
/** Every so many turns, whoever types loses the network until one of the two needs the other. */
const CUT_EVERY = 500

interface Typist {
  readonly name: string
  readonly client: Client
  readonly notes: Annotations
  readonly lag: Lag
  readonly cable: Cable
  typed: number
  typedOffline: number
}

/** Two people type one note at the same time, offline for parts of it, while the hub is killed: all three end with the text of the trace. */
export async function tellTraceStory(path: string, report: Report): Promise<void> {
  report.say(`\n${path}`)
  const { turns, endContent } = await readTrace(path)
  const hub = await DemoHub.create()
  try {
    const typists = await openTypists(hub)
    const [first, second] = typists
    first.notes.put({ id: NOTE, kind: 'note', note: '' })
    await first.client.settled()
    await noteArrives(second)

    const startedMs = performance.now()
    const killAt = new Set(Array.from({ length: KILLS }, (_, index) => Math.floor(((index + 1) * turns.length) / (KILLS + 1))))
    for (const [index, turn] of turns.entries()) {
      if (killAt.has(index)) await killTheHub(hub, typists, report)
      if (index % CUT_EVERY === CUT_EVERY - 1) typists[turn.who].cable.cut()
      await type(typists, turn)
    }
    for (const typist of typists) mend(typist)
    await Promise.all([first.lag.allow(second.typed), second.lag.allow(first.typed)])
    await Promise.all(typists.map(({ client }) => client.settled()))

    const seconds = (performance.now() - startedMs) / 1_000
    const offline = first.typedOffline + second.typedOffline
    report.step(
      'both',
      `typed ${turns.length} times in ${seconds.toFixed(1)} s, ${offline} of them offline, through ${KILLS} kills of the hub`
    )
    const view = (await first.client.read('annotations', BOOK)) as [string, { note?: string }][]
    const inHub = view.find(([id]) => id === NOTE)?.[1].note
    for (const { name, notes } of typists)
      report.promise(
        `4 ${name}`,
        notes.note(NOTE).toJSON() === endContent,
        `ends with the trace's ${endContent.length} characters`
      )
    report.promise('4 hub', inHub === endContent, `ends with the trace's ${endContent.length} characters`)
    const documentChanges = first.lag.arrived + second.lag.arrived
    report.promise(
      '2 exactly once',
      documentChanges === turns.length,
      `${documentChanges} changes arrived for ${turns.length} edits`
    )
    await Promise.all(typists.map(({ client }) => client.close()))
  } finally {
    await hub.drop()
  }
}

async function openTypists(hub: DemoHub): Promise<[Typist, Typist]> {
  const devices = [await hub.pair('reader', 'first'), await hub.pair('reader', 'second')] as const
  // The first one's first action makes the note, and its edits follow.
  const first = await openTypist(hub, 'first', devices[0].token, ordinals(devices[1].device, 0))
  const second = await openTypist(hub, 'second', devices[1].token, ordinals(devices[0].device, 1))
  // Where both insert at one place, Yjs puts the lower client id first, and the trace puts the first person first.
  const [low, high] = [first.notes.doc.clientID, second.notes.doc.clientID].sort((left, right) => left - right)
  first.notes.doc.clientID = low!
  second.notes.doc.clientID = high!
  return [first, second]
}

const ordinals =
  (device: string, before: number) =>
  ([, , from, , number, , kind]: WireChange): number =>
    from === device && kind === 'annotation.update' ? Math.max(0, number - before) : 0

async function openTypist(hub: DemoHub, name: string, token: string, ordinalOf: (change: WireChange) => number): Promise<Typist> {
  const lag = new Lag(ordinalOf)
  const cable = new Cable()
  const address = `${hub.url.replace('http', 'ws')}/live`
  const dial = () => lag.wrap(new WsConnection(address, cable.webSocket))
  const client = await connectNode({ url: hub.url, token, dial })
  await client.live()
  const notes = await client.annotations(BOOK)
  return { name, client, cable, notes, lag, typed: 0, typedOffline: 0 }
}

/** Types one turn of the trace, once what its author then knew of the other has arrived, and nothing more. */
async function type(typists: readonly [Typist, Typist], { who, patches, knownOfOther }: Turn): Promise<void> {
  const typist = typists[who]
  if (typist.lag.arrived < knownOfOther) {
    for (const each of typists) mend(each)
    await typist.lag.allow(knownOfOther)
  }
  const text = typist.notes.note(NOTE)
  typist.notes.doc.transact(() => {
    for (const [position, deleted, inserted] of patches) {
      if (deleted > 0) text.delete(position, deleted)
      if (inserted !== '') text.insert(position, inserted)
    }
  })
  typist.typed += 1
  if (typist.cable.isCut) typist.typedOffline += 1
  // One action for each turn.
  await new Promise(resolve => setImmediate(resolve))
}

async function noteArrives({ notes }: Typist): Promise<void> {
  while (notes.get(NOTE) === undefined)
    await new Promise<void>(resolve => {
      const stop = notes.on('change', () => {
        stop()
        resolve()
      })
    })
}

function mend(typist: Typist): void {
  if (!typist.cable.isCut) return
  typist.cable.isCut = false
  typist.client.retry()
}

async function killTheHub(hub: DemoHub, typists: readonly Typist[], report: Report): Promise<void> {
  const unanswered = typists.reduce((sum, { client }) => sum + client.unanswered, 0)
  await hub.kill()
  report.step('hub', `killed with -9, with ${unanswered} edits unanswered`)
  await hub.start()
  for (const typist of typists) {
    typist.cable.isCut = false
    typist.client.retry()
  }
}
