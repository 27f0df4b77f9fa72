import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { callControl } from '../../server/control.ts'
import { loadConfig } from '../../server/options.ts'
import { temporaryFolder } from '../util/folder.ts'
import { HubProcess } from '../util/hub-process.ts'
import { hubProgram } from '../util/hub-program.ts'
import { ended, lectern, type Ran } from '../util/lectern.ts'
import { suite, type TestContext } from '../util/suite.ts'

const test = suite('server/cli')

const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url))

/** Runs `lectern …` on a data folder. */
const on = (
  data: string,
  words: string[],
  { typed = '', env = {} }: { typed?: string | Uint8Array; env?: Record<string, string> } = {}
): Promise<Ran> =>
  lectern(words, { typed, env: { LECTERN_LOG_LEVEL: 'error', LECTERN_PORT: '0', LECTERN_DATA_FOLDER: data, ...env } })

/** A data folder whose hub has ended. */
async function leftFolder(context: TestContext): Promise<string> {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  await hub.kill('SIGTERM')
  return hub.dataFolder
}

test('help and the version end with 0, every wrong usage with 2', async context => {
  const data = temporaryFolder(context)
  const { version } = JSON.parse(readFileSync(path('package.json'), 'utf8')) as { version: string }
  const known = await on(data, ['--version'])
  assert.equal([known.code, known.out], [0, `${version}\n`])
  assert.is((await on(data, ['device', '--help'])).code, 0)
  const wrong = [[], ['nonsense'], ['account', 'add'], ['serve', '--port', 'x']]
  for (const { code, err } of await Promise.all(wrong.map(words => on(data, words)))) assert.is(code, 2, err)
})

test('an older Node is told that it is too old, before anything else', async () => {
  const older = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } })`
  for (const start of [[path('server/lectern.js')], ['--import', 'tsx', path('server/main.ts')]]) {
    const child = spawn(process.execPath, [
      '--import',
      `data:text/javascript,${encodeURIComponent(older)}`,
      ...start,
      '--version'
    ])
    assert.equal(await ended(child), { code: 2, out: '', err: 'lectern needs Node 20 or newer; this is 18.20.8\n' })
  }
})

test('a command on a data folder that is not there says so, and makes none', async context => {
  const data = join(temporaryFolder(context), 'none')
  const { code, err } = await on(data, ['account', 'list'])
  assert.is(code, 2)
  assert.match(err, `there is no data folder ${data}`)
  assert.not(existsSync(data))
})

test('only a start makes a store: every other command names a folder without one, and leaves it as it is', async context => {
  const data = temporaryFolder(context)
  chmodSync(data, 0o755)
  const commands = [
    ['stats'],
    ['account', 'add', 'ada'],
    ['device', 'pair', 'ada'],
    ['export', '--out', 'x'],
    ['backup', 'x'],
    ['check']
  ]
  for (const { code, err } of await Promise.all(commands.map(words => on(data, words)))) {
    assert.is(code, 2)
    assert.match(
      err,
      `lectern: ${data} is no data folder of a hub (it has no store); name the hub's with --data or LECTERN_DATA_FOLDER`
    )
  }
  assert.equal([readdirSync(data), statSync(data).mode & 0o777], [[], 0o755])
})

test('a hub does not begin in a folder that holds something else, and does beside what a disk or an earlier hub left', async context => {
  const data = temporaryFolder(context)
  writeFileSync(join(data, 'letter.txt'), 'mine')
  mkdirSync(join(data, 'files'))
  chmodSync(data, 0o755)
  const { code, err } = await on(data, ['serve'])
  assert.is(code, 2)
  assert.match(err, `${data} is not empty, and no data folder of a hub`)
  assert.equal([readdirSync(data).sort(), statSync(data).mode & 0o777], [['files', 'letter.txt'], 0o755])
  rmSync(join(data, 'letter.txt'))
  mkdirSync(join(data, 'lost+found'))
  const hub = new HubProcess(data)
  context.defer(() => hub.drop())
  await hub.start()
})

test('neither a hub nor a command but check works on a backup, which is to be restored first', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const backup = join(temporaryFolder(context), 'backup')
  assert.is((await on(hub.dataFolder, ['backup', backup])).code, 0)
  const before = readdirSync(backup)
  for (const words of [['serve'], ['stats'], ['backup', join(backup, 'again')]]) {
    const { code, err } = await on(backup, words)
    assert.is(code, 2)
    assert.match(err, `${backup} is a backup; make a data folder of it first: npx lectern restore ${backup} --data NEW-FOLDER`)
  }
  assert.equal(readdirSync(backup), before)
  assert.is((await on(backup, ['check'])).code, 0)
})

test('a data folder that cannot be one is named, with the option', async context => {
  const file = join(temporaryFolder(context), 'file')
  writeFileSync(file, '')
  for (const data of [file, join(file, 'data')]) {
    const { code, err } = await on(data, ['serve'])
    assert.is(code, 2)
    assert.match(err, `the data folder ${data} `)
    assert.match(err, 'LECTERN_DATA_FOLDER')
  }
})

test('a folder that cannot be made, even below /proc, and a file or folder in the place of the other are named', async context => {
  const data = await leftFolder(context)
  const folder = temporaryFolder(context)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  for (const target of [file, join(file, 'new'), '/proc/new/new'])
    for (const words of [
      ['backup', target],
      ['export', '--out', target],
      ['serve', '--data', target]
    ]) {
      const { code, err } = await on(data, words)
      assert.is(code, 2)
      assert.match(err, `${target} cannot be made`)
    }
  assert.match((await on(file, ['stats'])).err, `${file} is no data folder of a hub (it has no store)`)
  mkdirSync(join(folder, 'store'))
  for (const words of [['stats'], ['check'], ['serve']]) {
    const { code, err } = await on(folder, words)
    assert.is(code, 2)
    assert.match(err, /no data folder of a hub \(it has no store\)/)
  }
})

test('a hub that breaks off before it answers is named', async context => {
  const data = await leftFolder(context)
  const server = createServer(socket => socket.destroy()).listen(join(data, 'control.sock'))
  await once(server, 'listening')
  context.defer(() => server.close())
  const { code, err } = await on(data, ['account', 'list'])
  assert.is(code, 1)
  assert.match(err, `lectern: the hub in ${data} broke off before it answered (`)
})

test('a port that is taken is named, and the store can be opened again', async context => {
  const data = temporaryFolder(context)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.defer(() => server.close())
  const { port } = server.address() as AddressInfo
  const { code, err } = await on(data, ['serve', '--port', String(port)])
  assert.is(code, 1)
  assert.match(err, `port ${port} is taken; choose another with --port or LECTERN_PORT`)
  assert.is((await on(data, ['account', 'list'])).out, 'none\n')
  const none = await on(data, ['book', 'unlinked'])
  assert.equal(
    [none.code, none.err],
    [2, `lectern: there is no account here (${data}); add one with npx lectern account add NAME\n`]
  )
})

test('a mistake in the configuration makes nothing', async context => {
  const data = join(temporaryFolder(context), 'none')
  const { code, err } = await on(data, ['serve'], { env: { LECTERN_TRUSTED_PROXIES: '10.0.0.0/33' } })
  assert.is(code, 2)
  assert.match(err, 'LECTERN_TRUSTED_PROXIES')
  assert.not(existsSync(data))
})

test('the password of a mail server is in no message', async context => {
  const data = join(temporaryFolder(context), 'none')
  const { code, out, err } = await on(data, ['serve', '--smtp-url', 'smtp//me:hush-hush@mail'])
  assert.is(code, 2)
  assert.match(err, '--smtp-url or LECTERN_SMTP_URL: expected an address such as smtps://')
  assert.not.match(out + err, 'hush')
})

test('an import looks at the file first', async context => {
  const data = await leftFolder(context)
  for (const file of [data, join(data, 'none.epub')]) {
    const { code, err } = await on(data, ['import', file])
    assert.is(code, 2)
    assert.match(err, `there is no file ${file}`)
  }
})

test('commands say what they did, and the folder is closed to others', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  chmodSync(hub.dataFolder, 0o755)
  await hub.start(['--public-url', 'https://lectern.example'])
  assert.match(hub.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.is(statSync(hub.dataFolder).mode & 0o777, 0o700)
  const run = async (words: string[], typed = ''): Promise<string> => (await on(hub.dataFolder, words, { typed })).out
  assert.is(await run(['device', 'list', 'reader']), 'none\n')
  const short = await on(hub.dataFolder, ['account', 'passwd', 'Reader'], { typed: 'secret\n' })
  assert.equal([short.code, short.err], [2, 'lectern: a password has 8 to 256 characters\n'])
  const foreign = await on(hub.dataFolder, ['account', 'passwd', 'reader'], { typed: Buffer.from('pässwörter\n', 'latin1') })
  assert.equal([foreign.code, foreign.err], [2, 'lectern: the password is not in UTF-8; type it, or pipe it in so\n'])
  assert.is(
    await run(['account', 'passwd', 'Reader'], 'a longer secret\n'),
    'The password of reader is set; sign-ins with the one before have ended.\n'
  )
  assert.match(await run(['device', 'pair', 'reader']), /^code=\w{4}-\w{4} {2}goodUntil=\S+Z {2}goodFor=once\n$/)
  const reading = await run(['device', 'pair', 'reader', '--read-only'])
  assert.match(reading, /^code=\w{4}-\w{4} {2}goodUntil=\S+Z {2}goodFor=once {2}allows=reading only\n$/)
  const body = JSON.stringify({ code: reading.slice(5, 14), name: 'display', app: 'test' })
  await fetch(`${hub.url}/api/v1/pair`, { method: 'POST', body })
  assert.match(
    await run(['device', 'list', 'reader']),
    /name=display {2}app=test {2}readOnly=true {2}disabled=false {2}revoked=false {2}registeredAt=\d{4}-\S+Z$/m
  )
  const { device } = await hub.pair('reader', 'phone')
  const stats = await run(['stats'])
  assert.match(stats, /^accounts=1 {2}devices=2 {2}changes=2 {2}sessions=0 {2}takesChanges=true\n/)
  assert.match(stats, /\nstoreBytes=\d+ {2}usedBytes=\d+ {2}journalBytes=\d+ {2}files=0 {2}fileBytes=0 {2}freeBytes=\d+\n/)
  assert.match(stats, /\nflushes=[1-9]\d* {2}medianMs=[\d.]+ {2}p99Ms=[\d.]+ {2}mostMs=[\d.]+\n/)
  assert.match(stats, /\naccount=reader {2}devices=2 {2}changes=2 {2}head=2 {2}floor=1\n$/)
  assert.is(await run(['device', 'revoke', 'reader', device]), 'Revoked.\n')
  assert.is((await on(hub.dataFolder, ['device', 'revoke', 'reader', 'a\nb'])).code, 2)
})

test('wrong words are refused with what they should be, and do nothing', async context => {
  const data = await leftFolder(context)
  for (const [words, text] of [
    [['account', 'add', ''], "an account's name has 1 to 128 characters, and no control characters"],
    [['account', 'add', 'dora', '--password'], 'no password was given; type one, or pipe it in'],
    [['account', 'kosync', 'reader', '--answers', 'sometimes'], '--answers: newest or furthest, not "sometimes"'],
    [['book', 'link', 'emma', ''], 'name a book by its id, and a document or `type:value`']
  ] as const) {
    const { code, err } = await on(data, [...words])
    assert.equal([code, err], [2, `lectern: ${text}\n`])
  }
  assert.not.match((await on(data, ['account', 'list'])).out, 'dora')
})

test('a command whose output nobody reads on ends without a word, and a full disk under it is named', async context => {
  const data = await leftFolder(context)
  const list = (stdout: 'pipe' | number): ChildProcess =>
    spawn(process.execPath, [hubProgram(), 'account', 'list', '--data', data], { stdio: ['ignore', stdout, 'pipe'] })
  const said = async (child: ChildProcess): Promise<[number, string]> => {
    let err = ''
    child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()))
    return [((await once(child, 'close')) as [number])[0], err]
  }
  const unread = list('pipe')
  unread.stdout!.destroy()
  assert.equal(await said(unread), [0, ''])
  const full = openSync('/dev/full', 'w')
  const unwritten = list(full)
  closeSync(full)
  assert.equal(await said(unwritten), [1, 'lectern: what it says cannot be written (ENOSPC); have it written elsewhere\n'])
})

test('a hub serves on when what it says at its start, and its log, can be written nowhere', async context => {
  const data = temporaryFolder(context)
  const full = openSync('/dev/full', 'w')
  const hub = spawn(process.execPath, [hubProgram(), 'serve', '--port', '0', '--data', data], { stdio: ['ignore', full, full] })
  closeSync(full)
  context.defer(() => hub.kill('SIGKILL'))
  const gone = once(hub, 'exit')
  // It has said where it listens long before it has answered all of these.
  for (let answers = 0; answers < 20 && hub.exitCode === null;) {
    const answer = await callControl(data, 'account.list', {}).catch(() => undefined)
    if ((answer?.result as unknown[] | undefined)?.length === 1) answers += 1
    await setImmediate()
  }
  hub.kill('SIGTERM')
  assert.equal(await gone, [0, null])
})

test('a hub says where devices find it, and the command for another code works as it is printed', async context => {
  const hub = new HubProcess(join(temporaryFolder(context), "my reader's data"))
  context.defer(() => hub.drop())
  const pairing = (): string => /^For another code: npx lectern (device pair .*)$/m.exec(hub.printed)![1]!
  await hub.start(['--host', '0.0.0.0'])
  assert.match(hub.url, /^http:\/\/localhost:\d+$/)
  const found = /^Devices reach it at (.*)$/m.exec(hub.printed)?.[1]?.split(' or ') ?? []
  for (const url of found) assert.is((await fetch(`${url}/healthz`)).status, 200, url)
  const shell = spawn('sh', ['-c', `exec "$0" --import tsx "$1" ${pairing()}`, process.execPath, path('server/main.ts')])
  let out = ''
  shell.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  await once(shell, 'close')
  assert.match(out, /^code=\w{4}-\w{4} /)
  await hub.pair('reader', 'phone')
  await hub.kill()
  await hub.start(['--host', '0.0.0.0', '--public-url', 'https://lectern.example'])
  assert.match(hub.printed, /^Devices reach it at https:\/\/lectern.example$/m)
  assert.match(hub.printed, /^To sign in a device: npx lectern device pair reader --data /m)
})

test('an empty variable counts as not set', () => {
  assert.is(loadConfig({ LECTERN_PORT: '', LECTERN_DATA_FOLDER: '' }).port, 4747)
  assert.is(loadConfig({ LECTERN_DATA_FOLDER: '' }).dataFolder, './data')
})

test('addresses, origins and proxies that are none are refused, naming the option', () => {
  const wrong: Record<string, string[]> = {
    LECTERN_PUBLIC_URL: ['lectern.example', 'ftp://lectern.example', 'wss://lectern.example'],
    LECTERN_ALLOWED_ORIGINS: ['*', 'null', 'reader.example', 'https://reader.example/', 'https://a.example,https://b.example/x'],
    LECTERN_TRUSTED_PROXIES: ['proxy', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8'],
    LECTERN_FIRST_ACCOUNT: [' ', 'a\nb']
  }
  for (const [name, values] of Object.entries(wrong))
    for (const value of values) assert.throws(() => loadConfig({ [name]: value }), new RegExp(name), `${name} ${value}`)
  const config = loadConfig({
    LECTERN_PUBLIC_URL: 'https://lectern.example/sync',
    LECTERN_ALLOWED_ORIGINS: 'https://reader.example:8443, capacitor://localhost',
    LECTERN_TRUSTED_PROXIES: '127.0.0.1, ::1, 10.0.0.0/8'
  })
  assert.equal(config.allowedOrigins, ['https://reader.example:8443', 'capacitor://localhost'])
})

test.run()
