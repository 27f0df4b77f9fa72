import { join } from 'node:path'
import type { Annotations, ChangeEvent, Client } from '../node.ts'
import { connectNode } from '../node.ts'
import { Cable } from './cable.ts'
import { DemoHub } from './hub.ts'
import { readPassages, type Passage } from './passages.ts'
import { short, type Report } from './report.ts'
import { writePastSleepers } from './sleepers.ts'

const ACCOUNT = 'reader'
const LIVE_PASSAGES = 8
const AWAY_PASSAGES = 6
const BURST = 40
const KILLS = 3

/** A device with the book open, and every change that it was told of. */
interface Reader {
  readonly name: string
  readonly client: Client
  readonly cable: Cable
  readonly notes: Annotations
  readonly log: ChangeEvent[]
}

/** Two devices share one real book: live, apart, and through kills of the hub. Says what became of each promise. */
export async function tellBookStory(epub: string, report: Report): Promise<void> {
  report.say(`\n${epub}`)
  const hub = await DemoHub.create()
  try {
    const imported = await hub.run('import', epub, '--account', ACCOUNT)
    const book = /book=(\S+)/.exec(imported)![1]!
    report.step('hub', `imported ${/title=(.*?) {2}isNew/.exec(imported)![1]!}`)
    const passages = await readPassages(epub, LIVE_PASSAGES + 2 * AWAY_PASSAGES)
    const phone = await openReader(hub, 'phone', book)
    const desk = await openReader(hub, 'desk', book)
    await readTogether(phone, desk, book, passages.slice(0, LIVE_PASSAGES), report)
    await readApart(phone, desk, passages.slice(LIVE_PASSAGES), report)
    await removeAndRestore(phone, desk, report)
    await killTheHub(hub, phone, desk, book, report)
    await writePastSleepers(hub, phone, desk, report)
    await keepOthersOut(hub, phone, desk, book, report)
    await Promise.all([phone.client.close(), desk.client.close()])
  } finally {
    await hub.drop()
  }
}

async function openReader(hub: DemoHub, name: string, book: string): Promise<Reader> {
  const { token } = await hub.pair(ACCOUNT, name)
  const cable = new Cable()
  const client = await connectNode({ url: hub.url, token, file: join(hub.folder, `${name}.journal`), webSocket: cable.webSocket })
  const log: ChangeEvent[] = []
  client.on('change', change => log.push(change))
  await client.live()
  return { name, client, cable, log, notes: await client.annotations(book) }
}

/** Plugs the cable in again, and waits until the device has caught up. */
async function mend({ cable, client }: Reader): Promise<void> {
  cable.isCut = false
  client.retry()
  await client.live()
}

/** Waits until something is so, looking again at every change that any of these readers is told of. */
async function until(readers: readonly Reader[], isSo: () => boolean): Promise<void> {
  while (!isSo())
    await new Promise<void>(resolve => {
      const stops = readers.flatMap(({ notes, client }) => [
        notes.on('change', () => settle()),
        client.on('change', () => settle())
      ])
      const settle = (): void => {
        for (const stop of stops) stop()
        resolve()
      }
    })
}

async function readTogether(
  phone: Reader,
  desk: Reader,
  book: string,
  passages: readonly Passage[],
  report: Report
): Promise<void> {
  const delays: number[] = []
  for (const [index, passage] of passages.entries()) {
    const startedMs = performance.now()
    void phone.client.setPosition(book, { progression: (index + 1) / passages.length, locators: { href: passage.href } })
    const id = highlight(phone, passage)
    await until([desk], () => desk.notes.get(id) !== undefined)
    delays.push(performance.now() - startedMs)
    report.step('phone', `marks ${short(passage.text)}`)
    report.step('desk', `shows it after ${delays.at(-1)!.toFixed(1)} ms`)
  }
  await phone.client.settled()
  const furthest = (): number | undefined => desk.client.positions(book).furthest?.progression
  await until([desk], () => furthest() === 1)
  report.step('desk', `knows that the phone is at ${Math.round(furthest()! * 100)} %`)
}

const highlight = ({ notes }: Reader, { text, href }: Passage, note = ''): string =>
  notes.put({ kind: 'highlight', color: 'yellow', quote: text, locators: { href }, ...(note && { note }) })

async function readApart(phone: Reader, desk: Reader, passages: readonly Passage[], report: Report): Promise<void> {
  const shared = desk.notes.list()[0]!.id
  const note = 'A line to come back to.'
  phone.notes.put({ id: shared, note })
  await until([desk], () => desk.notes.get(shared)?.note === note)
  desk.cable.cut()
  report.step('desk', 'is cut off')
  const before = desk.log.length
  const seenByPhone = phone.log.length
  for (const [index, passage] of passages.entries()) {
    highlight(index % 2 === 0 ? phone : desk, passage)
    await new Promise(resolve => setImmediate(resolve))
  }
  phone.notes.note(shared).insert(0, 'Phone: ')
  desk.notes.note(shared).insert(desk.notes.note(shared).length, ' Desk: yes.')
  desk.notes.put({ id: shared, color: 'blue' })
  await phone.client.settled()
  const missed = phone.log.length - seenByPhone
  report.step('desk', `marks ${AWAY_PASSAGES} passages offline; the phone makes ${missed} changes meanwhile`)
  await mend(desk)
  await desk.client.settled()
  await meet(phone, desk)
  const caughtUp = desk.log.slice(before).filter(({ isOwn }) => !isOwn).length
  report.step('desk', `is back, and reads ${short(desk.notes.get(shared)!.note!)} in ${desk.notes.get(shared)!.color!}`)
  report.promise('5 catch-up', caughtUp === missed, `${caughtUp} of ${missed} missed changes, each once`)
  const merged = desk.notes.get(shared)!
  const isMerged = merged.note === `Phone: ${note} Desk: yes.` && merged.color === 'blue'
  report.promise(
    '4 convergence',
    isMerged && isEqual(phone, desk),
    `${desk.notes.list().length} annotations equal on both; both edits of one note kept`
  )
}

/** Waits until both devices have seen the same. */
async function meet(phone: Reader, desk: Reader): Promise<void> {
  await Promise.all([phone.client.settled(), desk.client.settled()])
  await until([phone, desk], () => phone.log.at(-1)?.cursor === desk.log.at(-1)?.cursor)
  await new Promise(resolve => setImmediate(resolve))
}

const isEqual = (left: Reader, right: Reader): boolean => text(left.notes) === text(right.notes)

const text = (notes: Annotations): string => JSON.stringify(notes.list({ removed: true }).map(sorted))

const sorted = (value: object): object =>
  Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))

/** The hub's own view is what the device shows. */
async function equalHub(client: Client, notes: Annotations, book: string): Promise<boolean> {
  const view = (await client.read('annotations', book)) as [string, object][]
  return JSON.stringify(view.map(([id, fields]) => sorted({ ...fields, id }))) === text(notes)
}

async function removeAndRestore(phone: Reader, desk: Reader, report: Report): Promise<void> {
  const { id, quote } = phone.notes.list()[0]!
  desk.cable.cut()
  phone.notes.remove(id)
  await phone.client.settled()
  desk.notes.put({ id, color: 'green' })
  await mend(desk)
  await meet(phone, desk)
  const staysRemoved = phone.notes.get(id)?.removedAtMs !== undefined && desk.notes.get(id)?.removedAtMs !== undefined
  phone.notes.restore(id)
  await phone.client.settled()
  await until([desk], () => desk.notes.get(id)?.removedAtMs === undefined)
  const restored = desk.notes.get(id)!
  const isWhole = restored.quote === quote && restored.color === 'green'
  report.step('phone', `removes ${short(quote!)}; the desk, offline, colours it; it stays removed`)
  report.promise('6 nothing vanishes', staysRemoved && isWhole, '1 removal held against a stale device, and was restored whole')
}

async function killTheHub(hub: DemoHub, phone: Reader, desk: Reader, book: string, report: Report): Promise<void> {
  const acked = new Map<string, number>()
  for (let kill = 1; kill <= KILLS; kill++) {
    const answers: Promise<void>[] = []
    for (let index = 0; index < BURST; index++) {
      for (const { client, name: who } of [phone, desk]) {
        const name = `${who}-${kill}-${index}`
        answers.push(client.putSetting(name, index).then(({ cursor }) => void acked.set(name, cursor)))
      }
      if (index < BURST / 2) await answers[index]
    }
    const ackedBefore = [...acked]
    await hub.kill()
    report.step(
      'hub',
      `killed with -9 in mid-write: ${ackedBefore.length} acked so far, ${answers.length * kill - ackedBefore.length} not`
    )
    await hub.start()
    await Promise.all([mend(phone), mend(desk)])
    await Promise.all(answers)
  }
  await meet(phone, desk)
  const observer = await openReader(hub, 'observer', book)
  const settings = new Map((await observer.client.read('settings')) as [string, object][])
  const lost = [...acked.keys()].filter(name => !settings.has(name))
  report.promise('1 durable', lost.length === 0, `${acked.size} acked actions, ${lost.length} lost in ${KILLS} kills`)
  const places = observer.log.filter(({ kind, key }) => kind === 'setting.put' && acked.has(key))
  const isOnce = places.length === acked.size && places.every(({ key, cursor }) => acked.get(key) === cursor)
  report.promise(
    '2 exactly once',
    isOnce,
    `${places.length} changes for ${acked.size} actions, each at the cursor that its ack named`
  )
  const isOrdered = [phone, desk, observer].every(({ log }) =>
    log.every(({ cursor }, index) => index === 0 || cursor === log[index - 1]!.cursor + 1)
  )
  const byCursor = new Map(observer.log.map(change => [change.cursor, `${change.device} ${change.kind} ${change.key}`]))
  const isSame = [phone, desk].every(({ log }) =>
    log.every(change => byCursor.get(change.cursor) === `${change.device} ${change.kind} ${change.key}`)
  )
  const isHubEqual = (await equalHub(phone.client, phone.notes, book)) && isEqual(phone, desk)
  report.promise(
    '3 one order',
    isOrdered && isSame && isHubEqual,
    `${observer.log.length} changes, the same on 3 devices, no gap and no double`
  )
  await observer.client.close()
}

async function keepOthersOut(hub: DemoHub, phone: Reader, desk: Reader, book: string, report: Report): Promise<void> {
  await hub.run('account', 'add', 'stranger')
  const { token } = await hub.pair('stranger', 'spy')
  const spy = await connectNode({ url: hub.url, token })
  const seen: ChangeEvent[] = []
  spy.on('change', change => seen.push(change))
  await spy.live()
  const foreign = ((await spy.read('annotations', book)) as unknown[]).length + ((await spy.read('books')) as unknown[]).length
  await spy.close()
  const cutOff = new Promise<string | undefined>(resolve => {
    desk.client.on('state', (state, reason) => state === 'closed' && resolve(reason?.code))
  })
  await hub.run('device', 'revoke', ACCOUNT, desk.client.device)
  const reason = await cutOff
  phone.notes.close()
  const isIsolated = foreign === 0 && seen.every(({ device }) => device !== phone.client.device) && reason === 'device-revoked'
  report.promise('7 isolation', isIsolated, `another account saw ${foreign} of it; a revoked device was cut off as ${reason}`)
}
