import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { checkBlobs } from '../../../server/storage/check-blobs.ts'
import { DiskBlobStore } from '../../../server/storage/disk-blobs.ts'
import { blobContract, chunks, textOf } from '../../contract/blobs.ts'
import type { TestContext } from '../../util/suite.ts'
import { temporaryFolder } from '../../util/folder.ts'

const test = blobContract('server/storage/disk-blobs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lectern-blobs-'))
  return { blobs: await DiskBlobStore.open(join(folder, 'files')), drop: () => rm(folder, { recursive: true }) }
})

async function folderOf(context: TestContext): Promise<string> {
  const folder = temporaryFolder(context)
  return join(folder, 'files')
}

test('a blob lies in two levels of folders under its name', async context => {
  const folder = await folderOf(context)
  const { sha256 } = await (await DiskBlobStore.open(folder)).put(chunks('x'))
  assert.equal(await readdir(join(folder, sha256.slice(0, 2), sha256.slice(2, 4))), [sha256])
})

test('a store that is opened again finds its blobs, and what unfinished puts left is swept', async context => {
  const folder = await folderOf(context)
  const { sha256 } = await (await DiskBlobStore.open(folder)).put(chunks('x'))
  await writeFile(join(folder, 'tmp', 'left'), 'half a bo')
  await mkdir(join(folder, 'tmp', 'odd'))
  const again = await DiskBlobStore.open(folder)
  assert.is(await textOf(await again.read(sha256)), 'x')
  assert.equal(await readdir(join(folder, 'tmp')), [])
})

test('no put, kept or refused, leaves a temporary file', async context => {
  const folder = await folderOf(context)
  const blobs = await DiskBlobStore.open(folder)
  await blobs.put(chunks('x'))
  await blobs.put(chunks('y'), { maxBytes: 0 }).catch(() => {})
  await blobs.put(chunks('z'), { expected: '0'.repeat(64) }).catch(() => {})
  assert.equal(await readdir(join(folder, 'tmp')), [])
})

test('a half-read blob holds no file open', async context => {
  if (process.platform !== 'linux') return
  const folder = await folderOf(context)
  const blobs = await DiskBlobStore.open(folder)
  const { sha256 } = await blobs.put(chunks(new Uint8Array(1_000_000)))
  const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length
  const before = await openFiles()
  await blobs.read(sha256)
  for await (const chunk of (await blobs.read(sha256))!) {
    assert.ok(chunk.length < 1_000_000)
    break
  }
  assert.is(await openFiles(), before)
})

test('partials are still there when the store is opened again', async context => {
  const folder = await folderOf(context)
  const first = await DiskBlobStore.open(folder)
  await first.partials.create('p1', 3)
  const partial = (await first.partials.open('p1'))!
  await partial.write([Buffer.from('abc')], 0)
  await partial.close()
  const again = await DiskBlobStore.open(folder)
  assert.equal(await again.partials.list(), ['p1'])
  const found = (await again.partials.open('p1'))!
  assert.is(await textOf(found.read(0, 3)), 'abc')
  await found.close()
})

test('a check of the blobs passes over partials', async context => {
  const folder = await folderOf(context)
  const blobs = await DiskBlobStore.open(folder)
  await blobs.put(chunks('x'))
  await blobs.partials.create('p1', 3)
  const found: string[] = []
  assert.equal([(await checkBlobs(folder, what => found.push(what))).bytes, found], [1, []])
})

test('an id that is none reaches no file', async context => {
  const folder = await folderOf(context)
  const { partials } = await DiskBlobStore.open(folder)
  for (const id of ['', '../x', 'a/b', '.', 'x'.repeat(65)])
    assert.match(String(await partials.create(id, 1).catch((error: Error) => error.message)), 'is no id')
})

test.run()
