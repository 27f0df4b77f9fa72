import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import * as assert from 'uvu/assert'
import { HubError } from '../../../protocol/index.ts'
import { createHttpApp, createHttpServer, takeBody } from '../../../server/transports/http.ts'
import { recordingLogger } from '../../util/core-hub.ts'
import { RawSocket } from '../../util/raw-socket.ts'
import { suite, type TestContext } from '../../util/suite.ts'

const test = suite('server/transports/http')

const codeOf = (error: HubError): string => error.code

test('every answer keeps pages of others from it, errors and streams too, unless its route says otherwise', async ({ defer }) => {
  const app = createHttpApp(recordingLogger(), () => '127.0.0.1', [])
  app.get('/text', () => new Response('text'))
  app.get('/stream', () => new Response(new Response('text').body, { headers: { 'referrer-policy': 'origin' } }))
  app.get('/broken', () => {
    throw new Error('broken')
  })
  const server = createHttpServer(app, {}, 10)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => server.close())
  for (const [path, status, policy] of [
    ['/text', 200, 'no-referrer'],
    ['/stream', 200, 'origin'],
    ['/broken', 500, 'no-referrer'],
    ['/nowhere', 404, 'no-referrer']
  ] as const) {
    const asked = request({ port: (server.address() as AddressInfo).port, path, agent: false }).end()
    const [answered] = (await once(asked, 'response')) as [IncomingMessage]
    answered.resume()
    const { headers, statusCode } = answered
    assert.is(statusCode, status, path)
    assert.is(headers['referrer-policy'], policy, path)
    assert.is(headers['x-content-type-options'], 'nosniff', path)
    assert.is(headers['x-frame-options'], 'SAMEORIGIN', path)
    assert.is(headers['cross-origin-resource-policy'], 'same-origin', path)
    // TLS, and what other services under the name do, is the proxy's.
    assert.is(headers['strict-transport-security'], undefined, path)
  }
})

async function held({ defer }: TestContext) {
  const app = createHttpApp(recordingLogger(), () => '127.0.0.1', [])
  const begun: string[] = []
  const wakers: (() => void)[] = []
  app.get('/held/:name', async context => {
    begun.push(context.req.param('name'))
    await new Promise<void>(resolve => wakers.push(resolve))
    return context.text(`<${context.req.param('name')}>`)
  })
  app.post('/echo', async context => {
    begun.push('echo')
    return context.text(`<${await context.req.text()}>`)
  })
  app.get('/other', context => context.text('<other>'))
  const server = createHttpServer(app, {}, 10)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    begun,
    url,
    release: () => wakers.shift()!(),
    /** Resolves once whatever was sent before was heard. */
    heard: async () => assert.is(await (await fetch(`${url}/other`, { headers: { connection: 'close' } })).text(), '<other>')
  }
}

const get = (name: string): string => `GET /held/${name} HTTP/1.1\r\nHost: hub\r\n\r\n`

test('requests that come in one piece are begun one after another, each with its body, when the answer before has left', async context => {
  const { begun, url, release, heard } = await held(context)
  const raw = new RawSocket(context, url)
  raw.write(`${get('a')}${get('b')}POST /echo HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\n\r\nhe`)
  while (begun.length === 0) await heard()
  await heard()
  assert.equal(begun, ['a'])
  release()
  await raw.until(text => text.includes('<a>'))
  while (begun.length === 1) await heard()
  assert.equal(begun, ['a', 'b'])
  raw.write('llo')
  release()
  await raw.until(text => text.includes('<hello>'))
  assert.equal(raw.received.toString().match(/<\w+>/g), ['<a>', '<b>', '<hello>'])
})

test('who sends many requests ahead of the answers is cut off, and all but the first are left', async context => {
  const { begun, url, heard } = await held(context)
  const raw = new RawSocket(context, url)
  raw.write(get('a').repeat(1_000))
  await raw.until(() => false)
  await heard()
  assert.equal([begun, raw.received.length], [['a'], 0])
})

test('a request of HTTP/1.0 needs no host, and one of HTTP/1.1 does', async context => {
  const { url } = await held(context)
  for (const [version, status] of [
    ['1.0', 200],
    ['1.1', 400]
  ] as const) {
    const raw = new RawSocket(context, url)
    raw.write(`GET /other HTTP/${version}\r\n\r\n`)
    assert.match(await raw.until(() => false), new RegExp(`^HTTP/1\\.1 ${status} `))
  }
})

const bodyOf = (stream: PassThrough): IncomingMessage => stream as unknown as IncomingMessage

test('a body that breaks off is a bad request, before and while it is read', async () => {
  const gone = new PassThrough()
  gone.destroy()
  assert.is(await takeBody(bodyOf(gone), () => undefined).catch(codeOf), 'bad-request')
  const going = new PassThrough()
  const reading = takeBody(bodyOf(going), () => going.destroy()).catch(codeOf)
  going.write('begun')
  assert.is(await reading, 'bad-request')
})

test('who refuses a piece of a body gets no other, and leaves the rest unread', async () => {
  const stream = new PassThrough()
  let taken = 0
  const reading = takeBody(bodyOf(stream), () => {
    taken += 1
    throw new HubError('too-large')
  }).catch(codeOf)
  stream.write('one')
  assert.is(await reading, 'too-large')
  stream.write('two')
  assert.is(stream.isPaused(), true)
  assert.is(stream.read()?.toString(), 'two')
  assert.is(taken, 1)
})

test.run()
