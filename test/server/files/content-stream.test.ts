import * as assert from 'uvu/assert'
import { contentStream } from '../../../server/files/content-stream.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/files/content-stream')

test('who goes away while the next bytes are read is no failure, and the source is closed', async () => {
  let give: (bytes: Uint8Array) => void = () => undefined
  const bytes = new Promise<Uint8Array>(resolve => (give = resolve))
  let asked: () => void = () => undefined
  const isAsked = new Promise<void>(resolve => (asked = resolve))
  let isClosed = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield new Uint8Array(1)
      asked()
      yield await bytes
    } finally {
      isClosed = true
    }
  }
  const failures: unknown[] = []
  const reader = contentStream(source(), error => failures.push(error)).getReader()
  await reader.read()
  const reading = reader.read()
  await isAsked
  const gone = reader.cancel()
  give(new Uint8Array(1))
  await Promise.all([reading, gone])
  assert.equal([failures, isClosed], [[], true])
})

test('what cannot be read is told', async () => {
  const failures: unknown[] = []
  async function* source(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1)
    throw new Error('broken')
  }
  const failed = new Promise<void>(resolve => {
    const reader = contentStream(source(), error => {
      failures.push((error as Error).message)
      resolve()
    }).getReader()
    void reader.read().then(() => reader.read())
  })
  await failed
  assert.equal(failures, ['broken'])
})

test.run()
