import { HubProcess } from '../util/hub-process.ts'
import { suite } from '../util/suite.ts'
import { ackedBy, lostNothing, seeded, writeUntilAcked, Writer } from '../util/writer.ts'

const KILLS = Number(process.env['LECTERN_KILLS'] ?? 100)

const test = suite('stories/kill', { limitMs: 30 * 60_000 })

test(`kill -9 at ${KILLS} random moments loses no acked action, doubles none, and leaves all devices as the hub`, async ({
  defer
}) => {
  const random = seeded(Number(process.env['LECTERN_SEED'] ?? 1))
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  await hub.operate('account.add', { account: 'other' })
  const writers: Writer[] = []
  for (const account of ['reader', 'reader', 'reader', 'other', 'other'])
    writers.push(new Writer(await hub.pair(account, `device ${writers.length}`), random))

  for (let kill = 0; kill < KILLS; kill++) {
    await Promise.all(writers.map(writer => writer.connect(hub.url)))
    await writeUntilAcked(writers, Math.floor(random() * 200), 8)
    for (const writer of writers) writer.write()
    await hub.kill()
    await hub.start()
  }

  await lostNothing(writers, hub.url)
  process.stdout.write(`FIGURE: ${KILLS} kills, ${ackedBy(writers)} acked actions, 0 lost, 0 doubled\n`)
  for (const writer of writers) writer.wire.close()
})

test.run()
