import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { HubError } from '../../protocol/index.ts'
import type { BlobStore } from '../../server/core/blobs.ts'
import { suite, type Suite, type TestContext } from '../util/suite.ts'

export interface OpenedBlobs {
  readonly blobs: BlobStore
  readonly drop: () => Promise<void>
}

export async function* chunks(...texts: (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

export async function textOf(source: AsyncIterable<Uint8Array> | undefined): Promise<string | undefined> {
  if (source === undefined) return undefined
  const all: Uint8Array[] = []
  for await (const chunk of source) all.push(chunk)
  return Buffer.concat(all).toString()
}

const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')

export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
  } catch (error) {
    if (error instanceof HubError) return error.code
    throw error
  }
  return 'no error'
}

/** What every blob store does. The suite that comes back takes the engine's own facts, and MUST be run. */
export function blobContract(name: string, open: () => Promise<OpenedBlobs>): Suite {
  const test = suite(name)
  const start = async (context: TestContext): Promise<BlobStore> => {
    const { blobs, drop } = await open()
    context.defer(drop)
    return blobs
  }

  test('bytes come back by their SHA-256', async context => {
    const blobs = await start(context)
    const info = await blobs.put(chunks('one ', '', 'book'))
    assert.equal(info, { sha256: sha256('one book'), sizeBytes: 8 })
    assert.equal(await blobs.stat(info.sha256), info)
    assert.is(await textOf(await blobs.read(info.sha256)), 'one book')
  })

  test('an empty blob is a blob', async context => {
    const blobs = await start(context)
    const { sha256: name } = await blobs.put(chunks())
    assert.equal(
      [name, await blobs.stat(name), await textOf(await blobs.read(name))],
      [sha256(''), { sha256: name, sizeBytes: 0 }, '']
    )
  })

  test('large bytes come back as they were', async context => {
    const blobs = await start(context)
    const parts = Array.from({ length: 40 }, (_, index) => new Uint8Array(50_000).fill(index))
    const { sha256: name, sizeBytes } = await blobs.put(chunks(...parts))
    assert.is(sizeBytes, 2_000_000)
    assert.is(sha256((await textOf(await blobs.read(name)))!), sha256(Buffer.concat(parts)))
  })

  test('a part is read from its start up to but not including its end', async context => {
    const blobs = await start(context)
    const { sha256: name } = await blobs.put(chunks('0123456789'))
    const parts: [start?: number, end?: number][] = [[3], [0, 1], [3, 7], [9], [10], [11], [4, 4], [7, 3], [8, 99], [0, 2]]
    const texts = await Promise.all(parts.map(async ([from, to]) => textOf(await blobs.read(name, from, to))))
    assert.equal(texts, ['3456789', '0', '3456', '9', '', '', '', '', '89', '01'])
  })

  test('a blob that nobody put is not there, and what is no name is none', async context => {
    const blobs = await start(context)
    const { sha256: there } = await blobs.put(chunks('x'))
    for (const name of [sha256('other'), '', 'tmp', '../x', there.toUpperCase(), `${there}0`, `${there}\n`])
      assert.equal([await blobs.stat(name), await blobs.read(name)], [undefined, undefined], name)
    assert.is((await blobs.stat(there))?.sizeBytes, 1)
  })

  test('bytes that hash to anything but what was expected are refused, and no blob is there', async context => {
    const blobs = await start(context)
    assert.is(await codeOf(blobs.put(chunks('x'), { expected: sha256('y') })), 'bad-request')
    assert.is(await codeOf(blobs.put(chunks('x'), { expected: '../../x' })), 'bad-request')
    assert.equal([await blobs.stat(sha256('x')), await blobs.stat(sha256('y'))], [undefined, undefined])
    assert.is(await codeOf(blobs.put(chunks('x'), { expected: sha256('x') })), 'no error')
  })

  test('bytes over the limit are refused as soon as they are, and those at the limit are kept', async context => {
    const blobs = await start(context)
    let given = 0
    const endless = async function* (): AsyncIterable<Uint8Array> {
      for (; ; given++) yield new Uint8Array(10)
    }
    assert.is(await codeOf(blobs.put(endless(), { maxBytes: 25 })), 'too-large')
    assert.is(given, 2)
    assert.is(await codeOf(blobs.put(chunks('12345'), { maxBytes: 5 })), 'no error')
  })

  test('a source that fails leaves no blob, and its error is told', async context => {
    const blobs = await start(context)
    const broken = async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from('x')
      throw new Error('the line broke')
    }
    assert.is(await blobs.put(broken()).catch((error: Error) => error.message), 'the line broke')
    assert.is(await blobs.stat(sha256('x')), undefined)
  })

  test('the same bytes put many times at once are one blob', async context => {
    const blobs = await start(context)
    const infos = await Promise.all(Array.from({ length: 10 }, () => blobs.put(chunks('same ', 'bytes'))))
    assert.equal(new Set(infos.map(info => info.sha256)), new Set([sha256('same bytes')]))
    assert.is(await textOf(await blobs.read(sha256('same bytes'))), 'same bytes')
  })

  test('a partial takes its pieces in any order, holds zeros where nothing came, and becomes a blob', async context => {
    const blobs = await start(context)
    await blobs.partials.create('p1', 10)
    const partial = (await blobs.partials.open('p1'))!
    await partial.write([Buffer.from('78'), Buffer.from('9')], 7)
    await partial.write([Buffer.from('012')], 0)
    assert.is(await textOf(partial.read(0, 10)), '012\0\0\0\x00789')
    await partial.write([Buffer.from('34'), Buffer.alloc(0), Buffer.from('56')], 3)
    assert.is(await textOf(partial.read(2, 8)), '234567')
    await partial.flush()
    await partial.close()
    const name = sha256('0123456789')
    assert.is(await blobs.stat(name), undefined)
    assert.is(await blobs.partials.adopt('p1', name), true)
    assert.equal([await textOf(await blobs.read(name)), await blobs.partials.list()], ['0123456789', []])
    assert.is(await blobs.partials.adopt('p1', name), false)
  })

  test('a partial becomes a blob that is there already, and one of no bytes the empty blob', async context => {
    const blobs = await start(context)
    const { sha256: name } = await blobs.put(chunks('x'))
    await blobs.partials.create('p1', 1)
    const partial = (await blobs.partials.open('p1'))!
    await partial.write([Buffer.from('x')], 0)
    await partial.close()
    assert.is(await blobs.partials.adopt('p1', name), true)
    await blobs.partials.create('p2', 0)
    assert.is(await blobs.partials.adopt('p2', sha256('')), true)
    assert.equal([await textOf(await blobs.read(name)), await textOf(await blobs.read(sha256('')))], ['x', ''])
  })

  test('a removed partial is gone, and who has it open writes on to no effect', async context => {
    const blobs = await start(context)
    await blobs.partials.create('p1', 4)
    await blobs.partials.create('p2', 4)
    const partial = (await blobs.partials.open('p1'))!
    assert.equal([await blobs.partials.remove('p1'), await blobs.partials.remove('p1')], [true, false])
    await partial.write([Buffer.from('late')], 0)
    await partial.flush()
    await partial.close()
    assert.equal([await blobs.partials.open('p1'), await blobs.partials.list()], [undefined, ['p2']])
    assert.is(await blobs.partials.adopt('p1', sha256('late')), false)
    assert.is(await blobs.stat(sha256('late')), undefined)
  })

  return test
}
