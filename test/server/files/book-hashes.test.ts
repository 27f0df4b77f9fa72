import * as assert from 'uvu/assert'
import { createHash } from 'node:crypto'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bookHashes } from '../../../server/files/book-hashes.ts'
import { suite } from '../../util/suite.ts'
import { temporaryFolder } from '../../util/folder.ts'

const test = suite('server/files/book-hashes')

/** Bytes that anyone can make again: byte i is the low byte of 31 i + (i >> 8). */
const pattern = (sizeBytes: number): Buffer => {
  const bytes = Buffer.alloc(sizeBytes)
  for (let index = 0; index < sizeBytes; index++) bytes[index] = index * 31 + (index >> 8)
  return bytes
}

// Made with KOReader's own algorithm; 2048 and 3000 are one, because the next sample is at 4096.
const GOLDEN: readonly [sizeBytes: number, md5: string][] = [
  [0, 'd41d8cd98f00b204e9800998ecf8427e'],
  [500, '21f0df72cce9bc7da8dae2512ee5feed'],
  [1_024, 'f4cd1641040a17288bb6104d9e66bdb5'],
  [1_025, '170a888db01c00d8fc3e5d8d84de5838'],
  [2_048, 'd0e59a0c7b893c3b8d6a9bddbd64e631'],
  [3_000, 'd0e59a0c7b893c3b8d6a9bddbd64e631'],
  [200_000, '1784b150454ef4cf6780ceb94af0386f'],
  [1_050_000, '0fca5c751677ecbc2dcfe80ea75ace32']
]

for (const [sizeBytes, md5] of GOLDEN) {
  test(`a file of ${sizeBytes} bytes has the name that KOReader gives it, and its SHA-256`, async context => {
    const path = join(temporaryFolder(context), 'book')
    const bytes = pattern(sizeBytes)
    await writeFile(path, bytes)
    assert.equal(await bookHashes(path), {
      sha256: createHash('sha256').update(bytes).digest('hex'),
      koreaderMd5: md5,
      sizeBytes
    })
  })
}

test('a file of more than 64 MiB is sampled at each power of four, and read whole for its SHA-256', async context => {
  const path = join(temporaryFolder(context), 'book')
  const sizeBytes = 67_108_864 + 100
  const file = await open(path, 'w')
  await file.truncate(sizeBytes)
  await file.write(Buffer.from('last sample'), 0, 11, 67_108_864)
  await file.close()
  const tail = Buffer.alloc(100)
  tail.write('last sample')
  const hashes = await bookHashes(path)
  assert.is(
    hashes.koreaderMd5,
    createHash('md5')
      .update(Buffer.alloc(9 * 1_024))
      .update(tail)
      .digest('hex')
  )
  const whole = createHash('sha256')
  for (let chunk = 0; chunk < 64; chunk++) whole.update(Buffer.alloc(1_048_576))
  assert.is(hashes.sha256, whole.update(tail).digest('hex'))
  assert.is(hashes.sizeBytes, sizeBytes)
})

test('a file that is not there is a file system error', async context => {
  const path = join(temporaryFolder(context), 'none')
  const error = await bookHashes(path).catch((error: unknown) => error as NodeJS.ErrnoException)
  assert.is((error as NodeJS.ErrnoException).code, 'ENOENT')
})

test.run()
