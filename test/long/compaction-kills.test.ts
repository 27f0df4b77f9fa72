import * as assert from 'uvu/assert'
import { checkFolder } from '../../server/check.ts'
import { HubProcess } from '../util/hub-process.ts'
import { suite } from '../util/suite.ts'
import { ackedBy, lostNothing, seeded, writeUntilAcked, Writer } from '../util/writer.ts'

const KILLS = Number(process.env['LECTERN_COMPACTION_KILLS'] ?? 40)
const WRITERS = 4
/** Of so many compactions one is not cut off. */
const LET_THROUGH = 4
/** Over one segment, so that each compaction has something to let go. */
const CHANGES_EACH = 600

const test = suite('long/compaction-kills', { limitMs: 20 * 60_000 })

/** Everyone writes, and says what it has, until so many more are acked. */
async function write(writers: readonly Writer[], more: number): Promise<void> {
  await writeUntilAcked(writers, more, 16)
  for (const { wire } of writers) wire.send('ack', { cursor: wire.cursor })
}

test(`kill -9 at ${KILLS} moments of compactions under way, with devices writing: the store is sound, and nothing acked is lost`, async ({
  defer
}) => {
  const random = seeded(Number(process.env['LECTERN_SEED'] ?? 1))
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const writers: Writer[] = []
  for (let index = 0; index < WRITERS; index++) writers.push(new Writer(await hub.pair('reader', `device ${index}`), random))
  const counts = { interrupted: 0, done: 0 }
  let kept = 0
  for (let kill = 0; kill < KILLS; kill++) {
    await Promise.all(writers.map(writer => writer.connect(hub.url)))
    await write(writers, CHANGES_EACH)
    const compacting = hub.operate('compact', { account: 'reader' }).then(
      () => (counts.done += 1),
      () => (counts.interrupted += 1)
    )
    await write(writers, Math.floor(random() ** 2 * CHANGES_EACH))
    // Now and then one comes to its end, so that the log gets shorter however slow the machine is.
    if ((KILLS - kill) % LET_THROUGH === 1) await compacting
    await hub.kill()
    await compacting
    const { findings, changes } = await checkFolder(hub.dataFolder)
    assert.equal(findings, [], `after kill ${kill + 1}`)
    kept = changes
    await hub.start()
  }
  await lostNothing(writers, hub.url)
  const acked = ackedBy(writers)
  assert.ok(counts.interrupted > KILLS / 4, `${counts.interrupted} compactions were cut off`)
  assert.ok(kept < acked / 2, `of ${acked} changes ${kept} are kept`)
  process.stdout.write(
    `FIGURE: ${KILLS} kills, ${counts.interrupted} of them in a compaction; ${acked} acked actions, ${kept} kept in the log, 0 lost\n`
  )
  for (const writer of writers) writer.wire.close()
})

test.run()
