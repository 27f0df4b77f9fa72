import * as assert from 'uvu/assert'
import { checkFolder } from '../../server/check.ts'
import { HubProcess } from '../util/hub-process.ts'
import { LibraryWriter } from '../util/stored-library.ts'
import { suite } from '../util/suite.ts'

const test = suite('long/checked-at-work')

const HUBS = 10
/** A young store changes its pages most. */
const CHANGES = 2_000

test('hubs that are checked again and again while they write are found sound, and lose nothing that they acked', async context => {
  let checks = 0
  for (let index = 0; index < HUBS; index++) {
    const hub = new HubProcess()
    context.defer(() => hub.drop())
    await hub.start()
    const writer = await LibraryWriter.open(hub, 'reader')
    const stop = writer.writeOn()
    for (; writer.acked < CHANGES; checks++) assert.equal((await checkFolder(hub.dataFolder)).findings, [])
    await hub.kill()
    void stop()
    const { findings, changes } = await checkFolder(hub.dataFolder)
    assert.equal(findings, [])
    assert.ok(changes >= writer.acked, `${changes} of ${writer.acked} changes are left`)
    writer.wire.close()
  }
  process.stdout.write(`FIGURE: ${checks} checks of ${HUBS} hubs at work, 0 false alarms, 0 acked changes lost\n`)
})

test.run()
