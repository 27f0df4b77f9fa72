import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import { JsonBodies, MAX_PUSH_BYTES } from '../../../server/dialects/timelimit/bodies.ts'
import { anyText } from '../../../server/dialects/timelimit/forms.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/timelimit/bodies')

const packed = gzipSync(`"${' '.repeat(MAX_PUSH_BYTES - 2)}"`)
const request = (): IncomingMessage =>
  Object.assign(Readable.from([packed]), {
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  }) as unknown as IncomingMessage

test('large bodies that are still at work count as held: what came packed cannot fill the memory', async () => {
  const bodies = new JsonBodies()
  const read = <R>(use: () => Promise<R>): Promise<R | string> =>
    bodies.read(request(), anyText, use, MAX_PUSH_BYTES).catch((error: HubError) => error.code)
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

test.run()
