import * as assert from 'uvu/assert'
import { LIMITS } from '../../protocol/index.ts'
import { rawFrame, RawSocket, type RawFrame } from '../util/raw-socket.ts'
import { helloFrame, register, servingHub, type TestServingHub } from '../util/serving-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'

const test = suite('hostile/sockets')

async function scene(context: TestContext): Promise<{ hub: TestServingHub; token: string }> {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  return { hub, token: (await register(account, 'device')).token }
}

async function signedIn(context: TestContext, { hub, token }: { hub: TestServingHub; token: string }): Promise<RawSocket> {
  const raw = await RawSocket.upgraded(context, hub.url)
  raw.write(rawFrame({ payload: helloFrame(token, { client: `c${Math.random()}` }) }))
  // The welcome names the account.
  await raw.until(text => text.includes('maxFrameBytes'))
  return raw
}

const gone = async ({ hub }: TestServingHub): Promise<void> => {
  while (hub.sessionCount > 0) await new Promise(resolve => setImmediate(resolve))
}

test('case 6: a message in one-byte fragments is refused after 64 of them', async context => {
  const { hub, token } = await scene(context)
  for (const raw of [await RawSocket.upgraded(context, hub.url), await signedIn(context, { hub, token })]) {
    const fragment = rawFrame({ opcode: 0, isFinal: false, payload: Buffer.of(0) })
    raw.write(rawFrame({ isFinal: false, payload: Buffer.of(0x91) }))
    raw.write(Buffer.concat(Array.from({ length: 100 }, () => fragment)))
    assert.is(await raw.closeCode(), 1008)
  }
  await gone(hub)
})

test('case 7: who sends pings and does not read the pongs is closed, and nothing is kept for it', async context => {
  const { hub, token } = await scene(context)
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => rawFrame({ opcode: 9, payload: Buffer.alloc(125) })))
  const floods = await Promise.all(Array.from({ length: 5 }, () => signedIn(context, { hub, token })))
  await Promise.all(
    floods.map(async raw => {
      raw.socket.pause()
      while (hub.hub.sessionCount > 0 && !raw.socket.destroyed && raw.socket.writable)
        if (!raw.socket.write(pings)) await new Promise(resolve => setTimeout(resolve, 1))
    })
  )
  await gone(hub)
})

test('case 8: a compressed message is refused: nothing is ever inflated', async context => {
  const { hub } = await scene(context)
  const raw = await RawSocket.upgraded(context, hub.url, { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
  raw.write(rawFrame({ reserved: 4, payload: Buffer.alloc(1_000) }))
  assert.is(await raw.closeCode(), 1002)
})

/** Frames that no client may send, and what each is closed with. */
const BAD: Readonly<Record<string, [code: number, frame: RawFrame]>> = {
  'a length of 2^63': [1009, { length: 2n ** 63n }],
  'a length over the limit': [1009, { length: BigInt(LIMITS.maxFrameBytes + 1) }],
  'a frame without a mask': [1002, { isMasked: false, payload: Buffer.of(0x91) }],
  'a reserved bit': [1002, { reserved: 1 }],
  'an opcode that is none': [1002, { opcode: 3 }],
  'a control frame in fragments': [1002, { opcode: 9, isFinal: false }],
  'a control frame that is too long': [1002, { opcode: 9, payload: Buffer.alloc(126) }],
  'a continuation of nothing': [1002, { opcode: 0, payload: Buffer.of(1) }],
  'text that is not UTF-8': [1007, { opcode: 1, payload: Buffer.of(0xc3, 0x28) }],
  'a close of one byte': [1002, { opcode: 8, payload: Buffer.of(3) }],
  'a close with a code that is none': [1002, { opcode: 8, payload: Buffer.of(3, 0xed) }]
}

for (const [name, [code, frame]] of Object.entries(BAD))
  test(`case 9: ${name} closes the connection with ${code}`, async context => {
    const { hub, token } = await scene(context)
    for (const raw of [await RawSocket.upgraded(context, hub.url), await signedIn(context, { hub, token })]) {
      raw.write(rawFrame(frame))
      assert.is(await raw.closeCode(), code)
    }
    await gone(hub)
    const next = await signedIn(context, { hub, token })
    assert.not(next.isClosed)
  })

test('case 11: who connects and says nothing, or is slow about it, is let go in time', async context => {
  const { hub } = await scene(context)
  const silent = await RawSocket.upgraded(context, hub.url)
  const dripping = new RawSocket(context, hub.url)
  dripping.write('GET / HTTP/1.1\r\nHost: hub\r\n')
  const drip = setInterval(() => dripping.write('X: y\r\n'), 500)
  const half = new RawSocket(context, hub.url)
  half.write('POST /api/v1/pair HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\n{')
  context.defer(() => clearInterval(drip))
  assert.is(await silent.closeCode(), 4408)
  assert.match(await dripping.until(() => false), /^HTTP\/1\.1 408 /)
  assert.match(await half.until(() => false), /^HTTP\/1\.1 408 /)
})

test('case 11: a request with a body, headers or a target over the bounds is refused', async context => {
  const { hub } = await scene(context)
  const refusals: [RegExp, string][] = [
    [/^HTTP\/1\.1 413 /, `POST /api/v1/pair HTTP/1.1\r\nHost: hub\r\nContent-Length: 65537\r\n\r\n${'x'.repeat(65_537)}`],
    [/^HTTP\/1\.1 431 /, `GET / HTTP/1.1\r\nHost: hub\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`],
    [/^HTTP\/1\.1 431 /, `GET /${'x'.repeat(10_000)} HTTP/1.1\r\nHost: hub\r\n\r\n`],
    [/^HTTP\/1\.1 400 /, 'GET / HTTP/1.1\r\nHost: hub\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    [/^HTTP\/1\.1 400 /, 'GET / HTTP/1.1\r\n\r\n'],
    [/^HTTP\/1\.1 400 /, '\u0016\u0003\u0001\u0002\u0000']
  ]
  for (const [status, request] of refusals) {
    const raw = new RawSocket(context, hub.url)
    raw.write(request)
    assert.match(await raw.until(text => text.includes('\r\n\r\n')), status)
  }
})

test('case 30: a socket that is reset in the middle of a frame, or before an answer, is forgotten', async context => {
  const { hub, token } = await scene(context)
  for (let round = 0; round < 20; round++) {
    const raw = await signedIn(context, { hub, token })
    raw.write(rawFrame({ length: 1_000n, payload: Buffer.alloc(round * 40) }))
    raw.socket.resetAndDestroy()
  }
  await gone(hub)
})

test.run()
