import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { decodeValue, encodeValue, type Plain } from '../../protocol/index.ts'
import { checkFolder } from '../../server/check.ts'
import type { RecordKey } from '../../server/core/store.ts'
import { LmdbStore } from '../../server/storage/lmdb.ts'
import { temporaryFolder } from '../util/folder.ts'
import { HubProcess } from '../util/hub-process.ts'
import { hubProgram } from '../util/hub-program.ts'
import { ended, lectern } from '../util/lectern.ts'
import { makeEpub } from '../util/make-epub.ts'
import { LibraryWriter } from '../util/stored-library.ts'
import { suite, type TestContext } from '../util/suite.ts'

const logger = { debug() {}, info() {}, warn() {}, error() {} }

const test = suite('stories/check')

/** What a hub that was killed in mid-work left behind, made once. */
let left: Promise<string> | undefined
const leftFolder = (): Promise<string> => (left ??= makeLeft())

async function makeLeft(): Promise<string> {
  const hub = new HubProcess()
  process.once('exit', () => rmSync(hub.dataFolder, { recursive: true, force: true }))
  await hub.start()
  await hub.operate('account.add', { account: 'other' })
  const epub = join(hub.dataFolder, 'book.epub')
  writeFileSync(epub, makeEpub({ title: 'A book' }))
  await hub.operate('import', { account: 'reader', path: epub })
  for (const account of ['reader', 'other']) {
    const writer = await LibraryWriter.open(hub, account)
    // Enough for records to be stored, and for a snapshot of a document.
    await writer.write(2_500)
    writer.wire.close()
  }
  await hub.kill()
  for (const file of [epub, join(hub.dataFolder, 'control.sock')]) rmSync(file)
  return hub.dataFolder
}

/** A copy of it, for one test to damage. */
async function copyOfLeft(context: TestContext): Promise<string> {
  const copy = temporaryFolder(context)
  cpSync(await leftFolder(), copy, { recursive: true })
  return copy
}

test('what a killed hub leaves is sound: every view rebuilt from the log equals the stored one', async () => {
  const ran = await lectern(['check', '--data', await leftFolder()])
  assert.is(ran.code, 0, ran.out + ran.err)
  assert.match(ran.out, /^accounts=2 {2}changes=\d{4} .*files=1 {2}.*damaged=0\n$/)
})

test('a hub at work is checked too, and does not notice', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const writer = await LibraryWriter.open(hub, 'reader')
  const stop = writer.writeOn()
  for (let round = 0; round < 3; round++) {
    const report = await checkFolder(hub.dataFolder)
    assert.equal(report.findings, [])
  }
  await stop()
  const before = writer.acked
  assert.ok((await checkFolder(hub.dataFolder)).changes >= before)
  writer.wire.close()
  assert.equal(
    readdirSync(hub.dataFolder).filter(name => name.startsWith('store.')),
    [],
    'the copies are removed'
  )
})

test('a store that another process has open, and no hub, is neither checked nor backed up, and it is said who uses it', async context => {
  const data = await copyOfLeft(context)
  const store = await LmdbStore.open({ path: join(data, 'store'), mapSizeBytes: 2 ** 30, logger })
  for (const command of [['check'], ['backup', join(temporaryFolder(context), 'backup')]]) {
    const ran = await lectern([...command, '--data', data])
    assert.match(ran.out + ran.err, `another process (pid ${process.pid}) is using ${join(data, 'store')}`)
    assert.is.not(ran.code, 0)
  }
  await store.close()
  assert.is((await lectern(['check', '--data', data])).code, 0)
})

test('a hub is not started where one runs, even though its pid tells nothing, as in another container', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  rmSync(join(hub.dataFolder, 'store-owner'))
  const second = new HubProcess(hub.dataFolder)
  context.defer(() => second.kill())
  const refusal = await second.start().then(
    () => 'started',
    (error: Error) => error.message
  )
  assert.match(refusal, `a hub is running in ${hub.dataFolder}: end it first`)
})

test('a hub does not begin anew where there are files and their store is gone', async context => {
  const data = await copyOfLeft(context)
  rmSync(join(data, 'store'))
  const hub = new HubProcess(data)
  context.defer(() => hub.kill())
  const refusal = await hub.start().then(
    () => 'started',
    (error: Error) => error.message
  )
  assert.match(refusal, 'the hub ended with 65')
  assert.match(refusal, `is gone, and ${join(data, 'files')} holds what belongs to it`)
  assert.match(refusal, `npx lectern restore BACKUP --data ${data}`)
  assert.not(readdirSync(data).includes('store'))
})

test('whoever waits for a hub that does not answer is told so, and gets the answer when it comes', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  hub.signal('SIGSTOP')
  const child = spawn(process.execPath, [hubProgram(), 'check', '--data', hub.dataFolder])
  const ran = ended(child)
  const [said] = (await once(child.stderr, 'data')) as [Buffer]
  assert.match(said.toString(), `waiting for the hub in ${hub.dataFolder} to answer`)
  hub.signal('SIGCONT')
  assert.is((await ran).code, 0)
})

test('a copy that a killed check left goes with the next start', async context => {
  const data = await copyOfLeft(context)
  writeFileSync(join(data, 'store.copy-left'), 'left')
  const hub = new HubProcess(data)
  context.defer(() => hub.kill())
  await hub.start()
  assert.not(readdirSync(data).includes('store.copy-left'))
})

test('a compacted log is sound too: what is left of it is in the records, and a false one is named', async context => {
  const hub = new HubProcess(await copyOfLeft(context))
  await hub.start()
  context.defer(() => hub.kill())
  const { out } = await lectern(['compact', 'reader', '--data', hub.dataFolder])
  assert.match(out, /^account=reader {2}changesBefore=2\d{3} {2}changes=\d{4} {2}floor=[1-9]\d+ /)
  assert.equal((await checkFolder(hub.dataFolder)).findings, [])
  const writer = await LibraryWriter.open(hub, 'reader')
  await writer.write(100)
  writer.wire.close()
  await hub.kill('SIGTERM')
  assert.equal((await checkFolder(hub.dataFolder)).findings, [])
  for (const [table, key, change] of [
    ['books', 'moby', (book: Record<string, Plain>) => ({ ...book, fields: { title: 'x' } })],
    [
      'annotationHistories',
      'shared',
      (history: Record<string, Plain>) => ({
        ...history,
        versions: (history['versions'] as Record<string, Plain>[]).map(version => ({ ...version, device: 'someone' }))
      })
    ],
    [
      'snapshots',
      'shared',
      (snapshot: Record<string, Plain>) => ({ ...snapshot, update: new Uint8Array([0, 0]) as unknown as Plain })
    ]
  ] as const) {
    await falsify(hub.dataFolder, table, parts => parts[2] === key, change)
    const { findings } = await checkFolder(hub.dataFolder)
    assert.ok(
      findings.some(({ what }) => new RegExp(`^the record ${table}/${key}(/\\S+)? is not what`).test(what)),
      JSON.stringify(findings)
    )
  }
})

type Change = (value: Record<string, Plain>) => Record<string, Plain> | undefined

/** Changes one record as a fault in the hub could: with its checksum right. */
async function falsify(data: string, table: string, keyOf: (key: RecordKey) => boolean, change: Change): Promise<string> {
  const store = await LmdbStore.open({ path: join(data, 'store'), mapSizeBytes: 2 ** 30, logger })
  const accounts = new Set(store.range([], undefined, Infinity).map(([[account]]) => account!))
  for (const account of accounts)
    for (const [key, bytes] of store.range([account, table], undefined, Infinity)) {
      if (account === '' || !keyOf(key)) continue
      const changed = change(decodeValue(bytes) as Record<string, Plain>)
      await store.commit({ appends: [], writes: [{ key, value: changed && encodeValue(changed) }] })
      await store.close()
      return account
    }
  await store.close()
  throw new Error(`there is no such record in ${table}`)
}

const FALSE: [what: string, table: string, key: string, change: Change, named: RegExp][] = [
  ['a book with another title', 'books', 'moby', book => ({ ...book, fields: { title: 'x' } }), /books\/moby is not what/],
  ['a book that is missing', 'books', 'emma', () => undefined, /books\/emma is missing/],
  ['an identifier of another book', 'identifiers', 'isbn:1', named => ({ ...named, book: 'x' }), /identifiers\/isbn:1 is not what/],
  ['a position', 'positions', 'moby', position => ({ ...position, atMs: 1 }), /positions\/moby\/\S+ is not what/],
  ['the earlier positions of a device', 'positionHistories', 'moby', history => ({ ...history, added: -1 }), /positionHistories\/moby\/\S+ is not what/],
  ['a setting', 'settings', 's2', setting => ({ ...setting, value: 'y' }), /settings\/s2 is not what/],
  ['a file with another content', 'files', 'book.epub', file => ({ ...file, content: { sha256: 'f'.repeat(64), sizeBytes: 1 } }), /files\/book.epub is not what/],
  ['the earlier contents of a path', 'fileHistories', 'book.epub', history => ({ ...history, versions: [] }), /fileHistories\/book.epub is not what/],
  ['a content that is missing', 'contents', '', () => undefined, /contents\/\S+ is missing/],
  ['the sum of all contents', 'fileTotals', '', totals => ({ ...totals, contentBytes: 1 }), /fileTotals is not what/],
  ['a device', 'devices', '', device => ({ ...device, revoked: true }), /devices\/\S+ is not what/],
  ['a lost counter', 'clients', '', client => ({ ...client, lastNumber: 1 }), /clients\/\S+ is at action 1, and the log at/],
  [
    'an answer with another cursor',
    'clients',
    '',
    client => ({
      ...client,
      answers: (client['answers'] as [number, number, number][]).map(([number, digest, cursor, ...rest]) => [
        number,
        digest,
        cursor > 0 ? cursor + 1 : cursor,
        ...rest
      ])
    }),
    /clients\/\S+ answers action \d+ with another change/
  ],
  ['a document whose tail is lost', 'documents', 'emma', () => ({ tail: [] }), /documents\/emma does not name/],
  ['a document that forgets one change', 'documents', 'emma', ({ tail }) => ({ tail: (tail as number[]).slice(0, -1) }), /documents\/emma does not name/],
  ['a snapshot of another document', 'snapshots', 'shared', snapshot => ({ ...snapshot, update: new Uint8Array([0, 0]) as unknown as Plain }), /snapshots\/shared is not what/],
  ['a snapshot with other owners', 'snapshots', 'shared', snapshot => ({ ...snapshot, owners: (snapshot['owners'] as [number, string][]).map(([client]) => [client, 'someone']) }), /snapshots\/shared names other owners/],
  ['a snapshot that forgets who was editing', 'snapshots', 'shared', snapshot => ({ ...snapshot, burst: { startedUs: 0, lastDevice: '', touched: [] } }), /snapshots\/shared names another time of edits/],
  ['an earlier version of an annotation', 'annotationHistories', 'shared', history => ({ ...history, versions: (history['versions'] as Record<string, Plain>[]).map(version => ({ ...version, timeUs: 1 })) }), /annotationHistories\/shared\/y\d is not what/],
  ['a history of an annotation that is lost', 'annotationHistories', 'shared', () => undefined, /annotationHistories\/shared\/y\d is not what/],
  ['a document with another time', 'documents', 'emma', document => ({ ...document, changedAtUs: 1 }), /documents\/emma has another time/],
  ['a book whose activity is lost', 'touched', 'moby', () => undefined, /touched\/moby is missing/],
  ['a book with an activity of another time', 'touched', 'moby', () => ({ timeUs: 1 }), /touched\/moby is not what/],
  ['an activity of another book', 'activity', '', activity => ({ ...activity, book: 'x' }), /activity\/\d{16} is not what/],
  ['an activity that is lost', 'activity', '', () => undefined, /touched\/\S+ is not what/],
  ['a book that is not listed', 'activity', '', ({ isListed, ...activity }) => ({ ...activity, isListed: isListed !== true }), /activity\/\d{16} is not what/],
  ['a fold that is ahead of its log', 'fold', '', fold => ({ ...fold, foldedTo: 1_000_000 }), /followed to 1000000, and the log ends at/]
] // prettier-ignore
for (const [what, table, key, change, named] of FALSE)
  test(`a check names ${what}, and whose it is`, async context => {
    const data = await copyOfLeft(context)
    const account = await falsify(data, table, parts => key === '' || parts[2] === key, change)
    const { findings } = await checkFolder(data)
    const found = findings.filter(({ what }) => named.test(what))
    assert.ok(found.length > 0, JSON.stringify(findings))
    assert.ok(
      findings.every(finding => finding.account.endsWith(`(${account})`)),
      JSON.stringify(findings)
    )
  })

test('a check names a file whose bytes are not those of its name, and one that is no blob', async context => {
  const data = await copyOfLeft(context)
  const files = readdirSync(join(data, 'files'), { recursive: true, encoding: 'utf8' })
  const blob = files.find(file => /[0-9a-f]{64}$/.test(file))!
  const bytes = readFileSync(join(data, 'files', blob))
  bytes[10]! ^= 1
  writeFileSync(join(data, 'files', blob), bytes)
  writeFileSync(join(data, 'files', 'stray'), '')
  const ran = await lectern(['check', '--data', data])
  assert.is(ran.code, 65)
  assert.match(ran.out, `DAMAGED: the file ${blob} is not what was written`)
  assert.match(ran.out, 'DAMAGED: the file stray is no blob')
})

test('what file managers leave in a folder is no damage, and a backup with it is restored without', async context => {
  const data = await copyOfLeft(context)
  const backup = join(temporaryFolder(context), 'backup')
  assert.is((await lectern(['backup', backup, '--data', data])).code, 0)
  const files = readdirSync(join(backup, 'files'), { recursive: true, encoding: 'utf8' })
  const blob = files.find(file => /[0-9a-f]{64}$/.test(file))!
  for (const folder of ['', dirname(dirname(blob)), dirname(blob)])
    for (const name of ['.DS_Store', `._${blob.slice(-64)}`, 'Thumbs.db', 'desktop.ini'])
      writeFileSync(join(backup, 'files', folder, name), 'left')
  const ran = await lectern(['check', '--data', backup])
  assert.is(ran.code, 0, ran.out)
  const restored = join(temporaryFolder(context), 'restored')
  const back = await lectern(['restore', backup, '--data', restored])
  assert.is(back.code, 0, back.out + back.err)
  assert.equal(readdirSync(join(restored, 'files'), { recursive: true, encoding: 'utf8' }).sort(), files.sort())
})

test('a check names a content that lost its file', async context => {
  const data = await copyOfLeft(context)
  const blob = readdirSync(join(data, 'files'), { recursive: true, encoding: 'utf8' }).find(file => /[0-9a-f]{64}$/.test(file))!
  rmSync(join(data, 'files', blob))
  const { findings } = await checkFolder(data)
  assert.equal(
    findings.map(({ what }) => what),
    [`the content ${blob.slice(-64)} has no file`]
  )
  assert.match(findings[0]!.account, /^reader \(/)
})

test('a check of a folder without a store is refused', async context => {
  const { code, err } = await lectern(['check', '--data', temporaryFolder(context)])
  assert.is(code, 2)
  assert.match(err, 'is no data folder of a hub (it has no store)')
})

test.run()
