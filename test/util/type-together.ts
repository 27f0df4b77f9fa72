import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT } from '../../protocol/index.ts'
import { connectNode } from '../../client/node.ts'
import type { Trace, Turn } from '../../client/demo/trace.ts'
import { CARRIERS, type CarrierName, type OpenDocument } from './carriers.ts'
import { CutOff } from './cut-off.ts'
import { HubProcess } from './hub-process.ts'
import { Random } from './random.ts'
import type { TestContext } from './suite.ts'

const BOOK = 'friends'
const NOTE = 'note'
const KILLS = 2
/** Of every so many turns one cuts its typist off, until somebody needs to hear of it. */
const CUT_EVERY = 60
/** The second person of a trace types on two devices in turn, so many turns on each. */
const TURNS_ON_A_DEVICE = 25

/**
 * A device on which one of a trace's people types. What it knows of the others comes over the network, into `open.doc`; `page` is what its typist sees, which may
 * lag behind, as it did when the trace was made.
 */
interface Device {
  readonly open: OpenDocument
  readonly way: CutOff
  readonly page: Y.Doc
  /** How many turns of each person are on its page. */
  readonly shown: [number, number]
}

const textOf = (doc: Y.Doc): Y.Text | undefined => {
  const note = doc.getMap(ANNOTATION_DOCUMENT.root).get(NOTE)
  const text = note instanceof Y.Map ? note.get(ANNOTATION_DOCUMENT.textField) : undefined
  return text instanceof Y.Text ? text : undefined
}

/** Resolves once a document, as it arrives, is so. */
function until({ doc }: OpenDocument, isSo: () => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = (): void => {
      if (!isSo()) return
      doc.off('update', look)
      resolve()
    }
    doc.on('update', look)
    look()
  })
}

const clockOf = (doc: Y.Doc, client: number): number => Y.getState(doc.store, client)

async function openDevice(
  { defer }: TestContext,
  hub: HubProcess,
  carrier: CarrierName,
  name: string,
  clientID: number
): Promise<Device> {
  const { token } = await hub.pair('reader', name)
  const way = await CutOff.to(hub.url)
  defer(() => way.close())
  const open = await CARRIERS[carrier](way.url, token, BOOK)
  defer(() => open.close())
  const page = new Y.Doc()
  page.clientID = clientID
  // What is typed goes to the network; what comes from there is put on the page turn by turn.
  page.on('update', (update: Uint8Array, origin: unknown) => origin === 'shown' || Y.applyUpdate(open.doc, update))
  return { open, way, page, shown: [0, 0] }
}

/**
 * Two people type a trace on three devices, each on a carrier of its own, which is cut off now and then, through kills of the hub. All three, a device that comes late, and the
 * hub's own view MUST end with the text of the trace.
 */
export async function typeTogether(
  context: TestContext,
  carriers: readonly CarrierName[],
  { turns, endContent }: Trace
): Promise<void> {
  const random = new Random(20_261_121)
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  // Where two insert at one place, Yjs puts the lower client id first, and the trace the first person.
  const devices = await Promise.all(
    carriers.map((carrier, index) => openDevice(context, hub, carrier, `device ${index}`, index + 1))
  )
  const [first] = devices as [Device, Device, Device]
  const notes = first.page.getMap<Y.Map<unknown>>(ANNOTATION_DOCUMENT.root)
  notes.set(NOTE, new Y.Map<unknown>([[ANNOTATION_DOCUMENT.textField, new Y.Text()]]))
  await Promise.all(devices.map(({ open }) => until(open, () => textOf(open.doc) !== undefined)))
  const begin = Y.encodeStateAsUpdate(first.page)
  for (const { page } of devices) Y.applyUpdate(page, begin, 'shown')

  /** Of each person's turns: the update, and where it ended in the document. */
  const typed: [TypedTurn[], TypedTurn[]] = [[], []]
  const killAt = new Set(Array.from({ length: KILLS }, (_, index) => Math.floor(((index + 1) * turns.length) / (KILLS + 1))))
  for (const [index, turn] of turns.entries()) {
    if (killAt.has(index)) {
      await hub.kill()
      await hub.start()
      for (const device of devices) mend(device)
    }
    const device = deviceOf(devices, turn, typed)
    if (index % CUT_EVERY === 0) random.pick(devices).way.cut()
    const { length } = typed[turn.who]
    await show(devices, device, turn.who === 0 ? [length, turn.knownOfOther] : [turn.knownOfOther, length], typed)
    typed[turn.who].push(type(device, turn))
    device.shown[turn.who] += 1
    await new Promise(resolve => setImmediate(resolve))
  }
  for (const device of devices) mend(device)
  const isDone = (doc: Y.Doc): boolean => textOf(doc)?.toJSON() === endContent
  await Promise.all(devices.map(({ open }) => until(open, () => isDone(open.doc))))

  for (const [index, carrier] of carriers.entries()) {
    const late = await openDevice(context, hub, carrier, `late ${index}`, 100 + index)
    await until(late.open, () => isDone(late.open.doc))
  }
  const client = await connectNode({ url: hub.url, token: (await hub.pair('reader', 'view')).token })
  context.defer(() => client.close())
  await client.live()
  const view = (await client.read('annotations', BOOK)) as [string, { note?: string }][]
  assert.is(view.find(([id]) => id === NOTE)?.[1].note, endContent)
}

interface TypedTurn {
  readonly update: Uint8Array
  readonly client: number
  readonly clock: number
}

/** The first person types on the first device, the second on the two others. */
function deviceOf(devices: readonly Device[], { who }: Turn, typed: readonly [TypedTurn[], TypedTurn[]]): Device {
  return who === 0 ? devices[0]! : devices[1 + (Math.floor(typed[1].length / TURNS_ON_A_DEVICE) % 2)]!
}

/** Puts so many turns of each person on a device's page, once they have arrived there. */
async function show(
  devices: readonly Device[],
  device: Device,
  counts: readonly [number, number],
  typed: readonly [TypedTurn[], TypedTurn[]]
): Promise<void> {
  for (const who of [0, 1] as const)
    while (device.shown[who] < counts[who]) {
      const { update, client, clock } = typed[who][device.shown[who]]!
      const hasArrived = (): boolean => clockOf(device.open.doc, client) >= clock
      if (!hasArrived()) {
        for (const each of devices) mend(each)
        await until(device.open, hasArrived)
      }
      Y.applyUpdate(device.page, update, 'shown')
      device.shown[who] += 1
    }
}

function type({ page }: Device, { patches }: Turn): TypedTurn {
  let update: Uint8Array | undefined
  page.once('update', (made: Uint8Array) => (update = made))
  page.transact(() => {
    for (const [position, deleted, inserted] of patches) {
      if (deleted > 0) textOf(page)!.delete(position, deleted)
      if (inserted !== '') textOf(page)!.insert(position, inserted)
    }
  })
  return { update: update!, client: page.clientID, clock: clockOf(page, page.clientID) }
}

function mend({ way, open }: Device): void {
  if (!way.isCut) return
  way.mend()
  open.hurry()
}
