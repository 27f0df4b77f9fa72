import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import { JsonBodies, MAX_PUSH_BYTES } from '../../../server/dialects/timelimit/bodies.ts'
import { anyText } from '../../../server/dialects/timelimit/forms.ts'
import { Refused } from '../../../server/dialects/timelimit/refusals.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/timelimit/bodies')

const plain = Buffer.from(`"${' '.repeat(MAX_PUSH_BYTES - 2)}"`)
const request = (pieces: Iterable<Uint8Array>, encoding: string): IncomingMessage =>
  Object.assign(Readable.from(pieces), {
    headers: { 'content-type': 'application/json', 'content-encoding': encoding }
  }) as unknown as IncomingMessage

const ways: readonly [name: string, body: Uint8Array, encoding: string][] = [
  ['packed', gzipSync(plain), 'gzip'],
  ['plain', plain, 'identity']
]
for (const [name, body, encoding] of ways)
  test(`large bodies that are still at work count as held, once each, when they came ${name}`, async () => {
    const bodies = new JsonBodies()
    const read = <R>(use: () => Promise<R>): Promise<R | string> =>
      bodies.read(request([body], encoding), anyText, use, MAX_PUSH_BYTES).catch((error: HubError) => error.code)
    let finish = (): void => undefined
    const work = new Promise<void>(resolve => (finish = resolve))
    const reading: Promise<unknown>[] = []
    for (let index = 0; index < 6; index++)
      await new Promise<void>(begun =>
        reading.push(
          read(() => {
            begun()
            return work
          })
        )
      )
    assert.is(await read(() => Promise.resolve(200)), 'overloaded')
    finish()
    await Promise.all(reading)
    assert.is(await read(() => Promise.resolve(200)), 200)
  })

test('a body that comes byte by byte is that body', async () => {
  const text = JSON.stringify('längere Wörter '.repeat(5_000))
  const pieces = function* (): Generator<Uint8Array, void, void> {
    for (const byte of Buffer.from(text)) yield Uint8Array.of(byte)
  }
  const read = await new JsonBodies().read(request(pieces(), 'identity'), anyText, body => Promise.resolve(body))
  assert.is(JSON.stringify(read), text)
})

test('what is packed in an unknown way is refused before anything of it is read', async () => {
  const sent = request([plain], 'br')
  const refused = await new JsonBodies().read(sent, anyText, () => Promise.resolve()).catch((error: Refused) => error.status)
  assert.is(refused, 415)
  assert.is(sent.readableFlowing, null)
})

test.run()
