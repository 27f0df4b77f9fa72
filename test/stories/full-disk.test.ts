import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { connectNode } from '../../client/node.ts'
import { checkFolder } from '../../server/check.ts'
import { HubProcess } from '../util/hub-process.ts'
import { smallDisk } from '../util/small-disk.ts'
import { LibraryWriter } from '../util/stored-library.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const HOLDER = fileURLToPath(new URL('../util/lock-holder.ts', import.meta.url))
const MIB = 2 ** 20

const test = suite('stories/full-disk')

const freeMiB = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder)
  return (bavail * bsize) / MIB
}

/** Resolves once the hub takes changes, or takes none. */
async function until(hub: HubProcess, takesChanges: boolean): Promise<void> {
  for (;;) {
    const stats = await hub.operate<{ hub: { takesChanges: boolean } }>('stats')
    if (stats.hub.takesChanges === takesChanges) return
    await new Promise(resolve => void setTimeout(resolve, 50))
  }
}

test('a hub whose disk fills up refuses changes before it is full, goes on to be read, and takes them again when there is room', async context => {
  const disk = smallDisk(context, 96)
  if (disk === undefined) return
  const data = join(disk, 'data')
  mkdirSync(data)
  const hub = new HubProcess(data)
  context.defer(() => hub.kill())
  await hub.start(['--min-free-mib', '24'])
  const writer = await LibraryWriter.open(hub, 'reader')
  const { token } = await hub.pair('reader', 'phone')
  const phone = await connectNode({ url: hub.url, token })
  context.defer(() => phone.close())
  await phone.live()
  await writer.write(200)
  const filler = join(disk, 'filler')
  for (let round = 0; round < 3; round++) {
    writeFileSync(filler, Buffer.alloc(Math.floor((freeMiB(disk) - 12) * MIB)))
    await until(hub, false)
    const { head } = await new WireClient().connect(hub.url, token, `reader ${round}`)
    assert.ok(head > 0, 'it can be read')
    const acked = phone.putSetting('size', round)
    const refused = new WireClient()
    const bye = refused.connect(hub.url, token, `writer ${round}`).then(async () => {
      const closed = refused.next('bye')
      refused.send('push', { confirmed: 0, actions: [[1, 0, 'setting.put', 'x', { value: 1 }]] })
      return closed
    })
    assert.equal([(await bye).code, (await bye).retryAfterMs], ['storage-full', 15_000])
    const check = await checkFolder(data).catch((error: Error) => error.message)
    assert.match(check as string, 'there is no room for a copy of the store')
    rmSync(filler)
    await until(hub, true)
    assert.equal((await checkFolder(data)).findings, [], 'nothing is damaged')
    phone.retry()
    await acked
  }
  const again = new WireClient()
  await again.connect(hub.url, token, 'last')
  assert.is((await again.list('settings')).find(([name]) => name === 'size')?.[1]['value'], 2)
  again.close()
  writer.wire.close()
  assert.is(await hub.kill('SIGTERM'), 0)
  assert.equal((await checkFolder(data)).findings, [])
})

test('a disk that is filled to the last byte in spite of all ends the hub with 75 or leaves it, and loses nothing that was acked', async context => {
  const disk = smallDisk(context, 48)
  if (disk === undefined) return
  const data = join(disk, 'data')
  mkdirSync(data)
  const hub = new HubProcess(data)
  context.defer(() => hub.kill())
  await hub.start(['--min-free-mib', '0'])
  const writer = await LibraryWriter.open(hub, 'reader')
  await writer.write(100)
  writeFileSync(join(disk, 'filler'), Buffer.alloc(Math.floor((freeMiB(disk) - 1) * MIB)))
  // Some of these are never answered: the hub is gone.
  void writer.write(20_000)
  while (writer.wire.closeCode === undefined) await new Promise(resolve => void setTimeout(resolve, 20))
  assert.is(await hub.ended(), 75, hub.output)
  rmSync(join(disk, 'filler'))
  const { findings, changes } = await checkFolder(data)
  assert.equal(findings, [])
  assert.ok(changes >= 1)
  await hub.start(['--min-free-mib', '0'])
  const again = new WireClient()
  const { head } = await again.connect(hub.url, writer.token)
  assert.ok(head >= writer.acked, `the log ends at ${head}, and ${writer.acked} was acked`)
  again.close()
})

test('a disk that does not answer a flush ends the hub after the time it is given, and a restart finds all that was acked', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start(['--flush-timeout-seconds', '2'])
  const writer = await LibraryWriter.open(hub, 'reader')
  await writer.write(10)
  // Whoever holds the right to write makes everyone else wait, as a disk does that hangs.
  const holder = spawn(process.execPath, ['--import', 'tsx', HOLDER, join(hub.dataFolder, 'store')])
  context.defer(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  void writer.write(1)
  assert.is(await hub.ended(), null, 'it is killed')
  assert.match(hub.output, 'the disk did not answer a flush within 2000 ms')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  await hub.start()
  const again = new WireClient()
  assert.ok((await again.connect(hub.url, writer.token)).head >= writer.acked)
  again.close()
})

test.run()
