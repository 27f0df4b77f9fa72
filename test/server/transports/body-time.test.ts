import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { boundBodyTime, mayTakeLong } from '../../../server/transports/body-time.ts'
import { ManualClock } from '../../util/manual-clock.ts'
import { RawSocket } from '../../util/raw-socket.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('server/transports/body-time')

const WITHIN_MS = 30_000

/** A server that answers with the size of a body once all of it is there; bodies to `/slow` may take long, those to `/unread` are never read. */
async function scene(context: TestContext) {
  const clock = new ManualClock()
  const requests: IncomingMessage[] = []
  const heard = { bytes: 0 }
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    boundBodyTime(request, response, (delayMs, task) => clock.setTimer(delayMs, task))
    requests.push(request)
    if (request.url === '/unread') return mayTakeLong(request)
    if (request.url === '/slow') mayTakeLong(request)
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      heard.bytes += chunk.length
      server.emit('heard')
    })
    request.on('end', () => response.end(`got ${bytes}`))
    request.on('error', () => undefined)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  context.defer(() => new Promise(resolve => (server.close(resolve), server.closeAllConnections())))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    clock,
    requests,
    post: async (path: string, length: number): Promise<RawSocket> => {
      const raw = new RawSocket(context, url)
      raw.write(`POST ${path} HTTP/1.1\r\nHost: hub\r\nContent-Length: ${length}\r\n\r\n`)
      await once(server, 'request')
      return raw
    },
    /** Sends so many bytes, and waits until they were heard. */
    drip: async (raw: RawSocket, bytes: number): Promise<void> => {
      const enough = heard.bytes + bytes
      raw.write(Buffer.alloc(bytes))
      while (heard.bytes < enough) await once(server, 'heard')
    }
  }
}

test('a body that is not there in time is cut with 408, however it moves', async context => {
  const { clock, post, drip } = await scene(context)
  const raw = await post('/', 100_000)
  clock.advance(WITHIN_MS - 1)
  await drip(raw, 50_000)
  clock.advance(1)
  assert.match(await raw.until(() => raw.isClosed), /^HTTP\/1\.1 408 /)
})

test('one that may take long takes as long as it moves, and is cut when it does not', async context => {
  const { clock, post, drip } = await scene(context)
  const [moving, stuck] = [await post('/slow', 200_000), await post('/slow', 200_000)]
  for (let step = 0; step < 10; step++) {
    await drip(moving, 20_000)
    if (step < 3) await drip(stuck, 20_000)
    if (step === 3) await drip(stuck, 16_383)
    clock.advance(WITHIN_MS)
  }
  assert.match(await moving.until(text => text.includes('got')), /^HTTP\/1\.1 200 [^]*got 200000$/)
  assert.match(await stuck.until(() => stuck.isClosed), /^HTTP\/1\.1 408 /)
})

test('who sends faster than it is read is not cut', async context => {
  const { clock, requests, post } = await scene(context)
  const raw = await post('/unread', 10_000_000)
  raw.write(Buffer.alloc(10_000_000))
  const [request] = requests
  while (request!.readableLength === 0) await new Promise(resolve => setImmediate(resolve))
  for (let step = 0; step < 5; step++) clock.advance(WITHIN_MS)
  request!.on('data', () => undefined)
  await once(request!, 'end')
  assert.is(raw.isClosed, false)
})

test('a request without a body has no time, and one that is answered leaves no timer', async context => {
  const { clock, post, drip } = await scene(context)
  const empty = await post('/', 0)
  await empty.until(text => text.includes('got 0'))
  const raw = await post('/', 10)
  await drip(raw, 10)
  await raw.until(text => text.includes('got 10'))
  while (clock.waits.length > 0) await new Promise(resolve => setImmediate(resolve))
})

test.run()
