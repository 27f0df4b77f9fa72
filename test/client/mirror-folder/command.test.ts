import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { filesIn } from '../../util/folder-files.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { HubProcess } from '../../util/hub-process.ts'
import { lectern } from '../../util/lectern.ts'
import { MirrorProcess } from '../../util/mirror-process.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { until } from '../../util/until.ts'

const test = suite('client/mirror-folder/command')

async function started(context: TestContext): Promise<HubProcess> {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  return hub
}

const codeOf = async (hub: HubProcess): Promise<string> =>
  (await hub.operate<{ code: string }>('device.pair', { account: 'reader' })).code

/** Waits until the process has said this. The limit is the suite's. */
async function said(mirror: MirrorProcess, text: string): Promise<void> {
  while (!mirror.output.includes(text)) {
    assert.is(mirror.ended, undefined, mirror.output)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

test('the first start takes a pairing code, and later ones need only the folder', async context => {
  const hub = await started(context)
  const left = temporaryFolder(context)
  const right = temporaryFolder(context)
  writeFileSync(join(left, 'a.txt'), 'a')
  const first = await lectern(['mirror', left, '--hub', hub.url, '--code', await codeOf(hub), '--name', 'Left', '--once'])
  assert.is(first.code, 0, first.err)
  assert.match(first.out, /^sent a\.txt$/m)
  assert.match(first.out, /^All is the same here and at the hub\.$/m)
  assert.not.match(first.out, /\r|\u001b/, 'no bar where there is no terminal')
  assert.is(statSync(join(left, '.lectern/token')).mode & 0o777, 0o600)
  const code = await codeOf(hub)
  for (let start = 0; start < 2; start++) {
    // As a service would be started again: with the same words, though the code is used up.
    const again = await lectern(['mirror', right, '--hub', hub.url, '--code', code, '--once'])
    assert.is(again.code, 0, again.err)
    assert.is(again.out.includes('; the code was not used'), start > 0)
    if (start > 0) assert.match(again.out, /^signed in already as Folder on .+; the code was not used$/m)
  }
  assert.equal(filesIn(right), filesIn(left))
  assert.is((await lectern(['mirror', left, '--once'])).code, 0)
  const names = (await hub.operate<{ name: string }[]>('device.list', { account: 'reader' })).map(({ name }) => name)
  assert.ok(names.includes('Left'))
})

test('a mirror whose device was deleted goes on with a new code, as another device', async context => {
  const hub = await started(context)
  const folder = temporaryFolder(context)
  writeFileSync(join(folder, 'a.txt'), 'a')
  const once = async (code: string): Promise<[number | null, string]> => {
    const ran = await lectern(['mirror', folder, '--hub', hub.url, '--code', code, '--once'])
    return [ran.code, ran.err]
  }
  const first = await codeOf(hub)
  assert.equal(await once(first), [0, ''])
  const [{ device }] = (await hub.operate<{ device: string }[]>('device.list', { account: 'reader' })) as [{ device: string }]
  await hub.operate('device.revoke', { account: 'reader', device })
  assert.is((await once(first))[0], 2)
  writeFileSync(join(folder, 'b.txt'), 'b')
  assert.equal(await once(await codeOf(hub)), [0, ''])
  assert.is((await lectern(['mirror', folder, '--once'])).code, 0)
})

test('words that do not do are refused with 2, a hub that cannot be reached with 1, and nothing else is done', async context => {
  const hub = await started(context)
  const folder = temporaryFolder(context)
  const ran = async (...words: string[]): Promise<[number | null, string]> => {
    const { code, err } = await lectern(['mirror', folder, '--once', ...words])
    return [code, err]
  }
  for (const [words, text] of [
    [[], /--hub/],
    [['--hub', hub.url], /--code/],
    [['--hub', 'nowhere'], /expected an address/],
    [['--hub', hub.url, '--code', 'lectern_AAAA'], /--code: this is a token; give it as LECTERN_TOKEN/],
    [
      ['--hub', hub.url, '--code', 'AAAA-AAAA'],
      /this pairing code is not valid: .*make another with npx lectern device pair NAME/
    ]
  ] as const) {
    const [code, err] = await ran(...words)
    assert.is(code, 2, err)
    assert.match(err, text)
  }
  const { url } = hub
  const pairing = await codeOf(hub)
  await hub.kill()
  const [code, err] = await ran('--hub', url, '--code', pairing)
  assert.equal([code, err], [1, `lectern: ${url} cannot be reached\n`])
})

test('a lost connection is told once, however often it is tried again, and so is that it is there again', async context => {
  const hub = await started(context)
  const folder = temporaryFolder(context)
  const mirror = new MirrorProcess(folder, (await hub.pair('reader', 'desk')).token)
  context.defer(() => mirror.kill())
  mirror.start(hub.url)
  await said(mirror, 'All is the same')
  await hub.kill()
  // Counts the tries.
  let tries = 0
  const server = createServer(socket => {
    tries++
    socket.destroy()
  })
  server.listen(Number(new URL(hub.url).port), '127.0.0.1')
  await once(server, 'listening')
  await until(() => tries >= 3)
  server.close()
  await once(server, 'close')
  await hub.start()
  await said(mirror, 'Connected again.')
  assert.is(mirror.output.match(/^No connection to /gm)?.length, 1, mirror.output)
  assert.is(mirror.output.match(/^Mirrors /gm)?.length, 1, mirror.output)
})

test('what cannot be mirrored is named: a file, a folder within a mirrored one, and the data folder of a hub', async context => {
  const hub = await started(context)
  const folder = temporaryFolder(context)
  const mirrored = join(folder, 'mirrored')
  const words = ['--hub', hub.url, '--code', await codeOf(hub), '--once']
  assert.is((await lectern(['mirror', mirrored, ...words])).code, 0)
  const file = join(folder, 'letter.txt')
  writeFileSync(file, 'mine')
  const inside = join(mirrored, 'deep', 'inside')
  for (const [place, text] of [
    [file, `lectern: ${file} is a file; name a folder`],
    [join(file, 'in-a-file'), `lectern: ${join(file, 'in-a-file')} cannot be read and written (ENOTDIR); name another folder`],
    [inside, `lectern: ${inside} lies in ${mirrored}, which is mirrored already`],
    [hub.dataFolder, `lectern: ${hub.dataFolder} is the data folder of a hub, which is not to be mirrored`]
  ] as const) {
    const { code, err } = await lectern(['mirror', place, ...words])
    assert.is(code, 2, err)
    assert.match(err, text)
  }
  assert.equal(readdirSync(hub.dataFolder).includes('.lectern'), false)
  assert.equal(readdirSync(mirrored), ['.lectern'])
})

test('commands that are programs of their own start from an installed package, too', async context => {
  const bin = fileURLToPath(new URL('../../../server/lectern.js', import.meta.url))
  const folder = temporaryFolder(context)
  for (const [words, text] of [
    [['mirror', folder], /--hub/],
    [['demo'], /usage/]
  ] as const) {
    const child = spawn(process.execPath, [bin, ...words], { stdio: ['ignore', 'ignore', 'pipe'] })
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.is(code, 2, err)
    assert.match(err, text)
  }
})

test('one process at a time mirrors a folder; SIGINT ends it with 0, and a killed one leaves the folder free', async context => {
  const hub = await started(context)
  const folder = temporaryFolder(context)
  const { token } = await hub.pair('reader', 'desk')
  const first = new MirrorProcess(folder, token)
  const second = new MirrorProcess(folder, token)
  context.defer(() => first.kill())
  first.start(hub.url)
  await said(first, 'All is the same')
  second.start(hub.url)
  assert.is(await second.done(), 2, second.output)
  assert.match(second.output, 'another lectern mirror keeps this folder')
  assert.is(await first.kill('SIGINT'), 0)
  first.output = ''
  first.start(hub.url)
  await said(first, 'Mirrors')
  await first.kill()
  const third = new MirrorProcess(folder, token)
  third.start(hub.url, { once: true })
  assert.is(await third.done(), 0, third.output)
})

test('a mirror whose device is revoked ends, and says why', async context => {
  const hub = await started(context)
  const folder = temporaryFolder(context)
  const { token, device } = await hub.pair('reader', 'desk')
  const mirror = new MirrorProcess(folder, token)
  context.defer(() => mirror.kill())
  mirror.start(hub.url)
  await said(mirror, 'All is the same')
  await hub.operate('device.revoke', { account: 'reader', device })
  assert.is(await mirror.done(), 2, mirror.output)
  assert.match(mirror.output, /revoked/)
})

test('a hub that was put back to a backup gets back what it lost, and no file goes because of it', async context => {
  const hub = await started(context)
  const folder = temporaryFolder(context)
  const token = (await hub.pair('reader', 'desk')).token
  writeFileSync(join(folder, 'before.txt'), 'before')
  writeFileSync(join(folder, 'changed.txt'), 'as in the backup')
  const mirrorOnce = async (url: string): Promise<string> => {
    const mirror = new MirrorProcess(folder, token)
    mirror.start(url, { once: true })
    assert.is(await mirror.done(), 0, mirror.output)
    return mirror.output
  }
  await mirrorOnce(hub.url)
  const backups = temporaryFolder(context)
  const made = await lectern(['backup', join(backups, 'backup'), '--data', hub.dataFolder])
  assert.is(made.code, 0, made.err)
  writeFileSync(join(folder, 'after.txt'), 'after')
  writeFileSync(join(folder, 'changed.txt'), 'as after it')
  await mirrorOnce(hub.url)
  await hub.kill()
  const data = join(temporaryFolder(context), 'restored')
  assert.is((await lectern(['restore', join(backups, 'backup'), '--data', data])).code, 0)
  const restored = new HubProcess(data)
  context.defer(() => restored.drop())
  await restored.start()
  await mirrorOnce(restored.url)
  const texts = Object.keys(filesIn(folder)).map(path => readFileSync(join(folder, path), 'utf8'))
  assert.equal(texts.sort(), ['after', 'as after it', 'as in the backup', 'before'])
  const other = temporaryFolder(context)
  mkdirSync(join(other, '.lectern'))
  const reader = new MirrorProcess(other, (await restored.pair('reader', 'other')).token)
  reader.start(restored.url, { once: true })
  assert.is(await reader.done(), 0, reader.output)
  assert.equal(filesIn(other), filesIn(folder))
})

test.run()
