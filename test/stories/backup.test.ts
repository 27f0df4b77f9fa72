import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { connectNode } from '../../client/node.ts'
import { checkFolder } from '../../server/check.ts'
import { CHUNK_BYTES } from '../util/contents.ts'
import { FilesClient } from '../util/files-client.ts'
import { temporaryFolder } from '../util/folder.ts'
import { HubProcess } from '../util/hub-process.ts'
import { hubProgram } from '../util/hub-program.ts'
import { lectern } from '../util/lectern.ts'
import { makeEpub } from '../util/make-epub.ts'
import { LibraryWriter } from '../util/stored-library.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const test = suite('stories/backup')

async function start(context: TestContext, hub = new HubProcess()): Promise<HubProcess> {
  context.defer(() => hub.drop())
  await hub.start()
  return hub
}

test('a backup of a hub at work is sound and holds every action acked before; restored, it has a new epoch, and a device that saw more ends as the hub', async context => {
  const hub = await start(context)
  const writer = await LibraryWriter.open(hub, 'reader')
  const epub = join(temporaryFolder(context), 'book.epub')
  writeFileSync(epub, makeEpub({ title: 'A book' }))
  await hub.operate('import', { account: 'reader', path: epub })
  const { token } = await hub.pair('reader', 'phone')
  const file = join(temporaryFolder(context), 'phone.lectern')
  const phone = await connectNode({ url: hub.url, token, file })
  await phone.live()
  await phone.putSetting('before', 1)
  const notes = await phone.annotations('shared')
  notes.put({ kind: 'note', note: 'before the backup' })
  await phone.settled()
  await writer.write(1_500)

  const stop = writer.writeOn()
  const ackedBefore = writer.acked
  const backup = join(temporaryFolder(context), 'backup')
  const ran = await lectern(['backup', backup, '--data', hub.dataFolder])
  await stop()
  assert.is(ran.code, 0, ran.out + ran.err)
  const report = await checkFolder(backup)
  assert.equal(report.findings, [])
  assert.is(report.files, 1)
  assert.ok(report.changes >= ackedBefore, `${report.changes} changes, and ${ackedBefore} were acked before`)

  // Both see what the backup does not hold.
  await writer.write(200)
  await phone.putSetting('after', 2)
  await phone.settled()
  const oldEpoch = writer.wire.epoch
  const seen = writer.wire.cursor
  await phone.close()
  await hub.kill()

  const restored = join(temporaryFolder(context), 'restored')
  const back = await lectern(['restore', backup, '--data', restored])
  assert.is(back.code, 0, back.out + back.err)
  rmSync(hub.dataFolder, { recursive: true })
  assert.equal(readdirSync(restored).sort(), ['files', 'store'])
  const next = await start(context, new HubProcess(restored))
  const again = new WireClient()
  again.epoch = oldEpoch
  again.cursor = seen
  let resyncedTo = ''
  again.onFrame = frame => void (frame.kind === 'resync' && (resyncedTo = frame.epoch))
  const { head, epoch } = await again.connect(next.url, writer.token)
  assert.is.not(epoch, oldEpoch)
  await again.upTo(head)
  assert.is(resyncedTo, epoch)
  assert.is(head, report.changes)

  const phoneAgain = await connectNode({ url: next.url, token, file })
  context.defer(() => phoneAgain.close())
  await phoneAgain.live()
  const notesAgain = await phoneAgain.annotations('shared')
  notesAgain.put({ kind: 'note', note: 'after the restore' })
  await phoneAgain.settled()
  const inHub = (await again.list('annotations', 'shared')).map(([, { note }]) => note)
  assert.ok(inHub.includes('before the backup') && inHub.includes('after the restore'), JSON.stringify(inHub))
  const inPhone = notesAgain.list().map(({ id }) => id)
  assert.equal(
    inPhone.sort(),
    (await again.list('annotations', 'shared')).map(([id]) => id)
  )
  const settings = await again.list('settings')
  assert.ok(settings.some(([name]) => name === 'before') && !settings.some(([name]) => name === 'after'))
  again.close()
  assert.equal((await checkFolder(restored)).findings, [])
})

test('a backup that is killed at any moment does the hub no harm', async context => {
  const hub = await start(context)
  const writer = await LibraryWriter.open(hub, 'reader')
  await writer.write(500)
  const stop = writer.writeOn()
  for (let round = 0; round < 3; round++) {
    const backup = join(temporaryFolder(context), 'backup')
    const child = spawn(process.execPath, [hubProgram(), 'backup', backup, '--data', hub.dataFolder])
    while (!existsSync(join(backup, 'store')) && child.exitCode === null) await new Promise(resolve => void setImmediate(resolve))
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    const { code, err } = await lectern(['restore', backup, '--data', temporaryFolder(context)])
    assert.is(code, 2)
    assert.match(err, 'is no finished backup: it has no backup.json')
  }
  await stop()
  await writer.write(10)
  assert.equal((await checkFolder(hub.dataFolder)).findings, [])
})

test('neither backup nor restore writes over anything', async context => {
  const hub = await start(context)
  const full = temporaryFolder(context)
  writeFileSync(join(full, 'mine'), 'mine')
  const backup = join(temporaryFolder(context), 'backup')
  assert.is((await lectern(['backup', backup, '--data', hub.dataFolder])).code, 0)
  for (const words of [
    ['backup', full, '--data', hub.dataFolder],
    ['backup', backup, '--data', hub.dataFolder],
    ['restore', backup, '--data', hub.dataFolder],
    ['restore', backup, '--data', full]
  ]) {
    const { code, err } = await lectern(words)
    assert.is(code, 2, err)
    assert.match(err, 'is not empty')
  }
  assert.equal(readdirSync(full), ['mine'])
})

test('no backup is made in the data folder itself', async context => {
  const hub = await start(context)
  const before = readdirSync(hub.dataFolder)
  const link = join(temporaryFolder(context), 'link')
  symlinkSync(hub.dataFolder, link)
  const inside = [hub.dataFolder, join(hub.dataFolder, 'new', 'backup'), join(hub.dataFolder, 'files', '..', 'backup')]
  for (const folder of [...inside, join(link, 'backup')]) {
    const { code, err } = await lectern(['backup', folder, '--data', hub.dataFolder])
    assert.is(code, 2, err)
    assert.match(err, 'is or lies in the data folder')
  }
  assert.equal(readdirSync(hub.dataFolder), before)
  // Its name begins like the data folder's.
  const beside = `${hub.dataFolder}-backup`
  context.defer(() => rmSync(beside, { recursive: true }))
  assert.is((await lectern(['backup', beside, '--data', hub.dataFolder])).code, 0)
})

test('a damaged backup is named and not restored; a damaged store is not backed up', async context => {
  const hub = await start(context)
  const writer = await LibraryWriter.open(hub, 'reader')
  await writer.write(300)
  await hub.kill('SIGTERM')
  const backup = join(temporaryFolder(context), 'backup')
  assert.is((await lectern(['backup', backup, '--data', hub.dataFolder])).code, 0)
  for (const damaged of [backup, hub.dataFolder]) {
    const store = readFileSync(join(damaged, 'store'))
    // The title of a book stands in its record and in the log.
    for (let at = store.indexOf('moby 2'); at !== -1; at = store.indexOf('moby 2', at + 1)) store[at]! ^= 1
    writeFileSync(join(damaged, 'store'), store)
  }
  const restored = join(temporaryFolder(context), 'restored')
  const back = await lectern(['restore', backup, '--data', restored])
  assert.is(back.code, 65)
  assert.match(back.out, /^DAMAGED: /m)
  assert.match(back.err, 'MUST NOT be used')
  assert.not(existsSync(join(restored, 'store')))
  const again = join(temporaryFolder(context), 'again')
  const second = await lectern(['backup', again, '--data', hub.dataFolder])
  assert.is(second.code, 65)
  assert.match(second.out, /^DAMAGED: /m)
  assert.not(existsSync(join(again, 'backup.json')))
})

test('a backup whose backup.json is not what was written is no finished one, and nothing is made of it', async context => {
  const hub = await start(context)
  const folder = temporaryFolder(context)
  const backup = join(folder, 'backup')
  assert.is((await lectern(['backup', backup, '--data', hub.dataFolder])).code, 0)
  const written = JSON.parse(readFileSync(join(backup, 'backup.json'), 'utf8')) as object
  for (const [manifest, text] of [
    [null, 'backup.json: expected map'],
    [{ ...written, madeAtMs: 1e300 }, 'backup.json.madeAtMs: expected number'],
    [{ ...written, madeAtMs: undefined }, 'backup.json.madeAtMs: expected number'],
    [{ ...written, files: '1' }, 'backup.json.files: expected uint'],
    [{ ...written, format: 2 }, 'the unknown format 2']
  ] as const) {
    writeFileSync(join(backup, 'backup.json'), JSON.stringify(manifest))
    const { code, err } = await lectern(['restore', backup, '--data', join(folder, 'restored')])
    assert.is(code, 2, err)
    assert.match(err, text)
    assert.not(existsSync(join(folder, 'restored')))
  }
})

test('a backup has the files that are there and leaves out what still arrives: a hub on the restored folder does not know of it', async context => {
  const hub = await start(context)
  const client = new FilesClient(`${hub.url}/api/v1/sync`, (await hub.pair('reader', 'phone')).token)
  const file = randomBytes(CHUNK_BYTES + 1)
  await client.upload('a', file)
  const { id } = (await client.begin('b', file)).json
  await client.chunk(id, 0, file.subarray(0, CHUNK_BYTES))
  const folder = temporaryFolder(context)
  const ran = await lectern(['backup', join(folder, 'backup'), '--data', hub.dataFolder])
  assert.is(ran.code, 0, ran.out + ran.err)
  const back = await lectern(['restore', join(folder, 'backup'), '--data', join(folder, 'restored')])
  assert.is(back.code, 0, back.out + back.err)
  const next = await start(context, new HubProcess(join(folder, 'restored')))
  const again = new FilesClient(`${next.url}/api/v1/sync`, client.token)
  assert.is((await again.status(id)).status, 404)
  assert.ok((await again.download('a')).bytes.equals(file))
  assert.equal((await client.status(id)).json.missing_chunks, [1])
})

test.run()
