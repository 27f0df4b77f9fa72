import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { checkFolder } from '../../server/check.ts'
import { claim } from '../../server/storage/owner.ts'
import { HubProcess } from '../util/hub-process.ts'
import { LibraryWriter } from '../util/stored-library.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const test = suite('stories/lost-store')

test('a hub whose data folder is moved away ends, and the moved one holds all that was acked', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const writer = await LibraryWriter.open(hub, 'reader')
  void writer.writeOn()
  await writer.wire.next('acked')
  const moved = new HubProcess(`${hub.dataFolder}-moved`)
  context.defer(() => moved.drop())
  renameSync(hub.dataFolder, moved.dataFolder)
  assert.is(await hub.ended(), 65, hub.output)
  assert.match(hub.output, 'the store was moved or removed')
  assert.equal((await checkFolder(moved.dataFolder)).findings, [])
  await moved.start()
  const again = new WireClient()
  assert.ok((await again.connect(moved.url, writer.token)).head >= writer.acked)
  again.close()
})

test('a hub whose claim on its store was taken from it ends before it writes on beside the new owner', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const store = join(hub.dataFolder, 'store')
  rmSync(`${store}-owner`)
  const claimed = claim(store)
  assert.is(await hub.ended(), 65, hub.output)
  assert.ok(await claimed.isHeld(), 'the new claim stays')
  claimed.release()
})

test.run()
