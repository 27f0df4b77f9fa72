import * as assert from 'uvu/assert'
import { LIMITS } from '../../../protocol/index.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { openSocketIo, SOCKET_IO_WAYS, socketIoWire, type SocketIoWay } from '../../util/socket-io-wire.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'

const test = suite('server/transports/socket-io', { limitMs: 60_000 })

interface Scene {
  readonly hub: TestServingHub
  readonly token: string
  readonly device: string
}

async function scene(context: TestContext, flags: Record<string, string> = {}): Promise<Scene> {
  const hub = await servingHub(context, flags)
  const account = await hub.hub.ensureAccount('reader')
  return { hub, ...(await register(account, 'device')) }
}

function wire({ defer }: TestContext, way: SocketIoWay): WireClient {
  const client = new WireClient(socketIoWire(way))
  defer(() => client.close())
  return client
}

async function member(context: TestContext, { hub, token }: Scene, way: SocketIoWay, client = 'tab'): Promise<WireClient> {
  const opened = wire(context, way)
  const { head } = await opened.connect(hub.listensOn, token, client)
  await opened.upTo(head)
  return opened
}

const gone = async ({ hub }: TestServingHub): Promise<void> => {
  while (hub.sessionCount > 0) await new Promise(resolve => setTimeout(resolve, 5))
}

for (const way of SOCKET_IO_WAYS) {
  test(`${way}: signs in, pushes, and is told of every change live`, async context => {
    const at = await scene(context)
    const [left, right] = [await member(context, at, way, 'left'), await member(context, at, way, 'right')]
    for (let number = 1; number <= 20; number++) {
      const acked = left.next('acked')
      left.send('push', {
        confirmed: 0,
        actions: [[number, 0, 'setting.put', `s${number}`, { value: 'x'.repeat(number * 500) }]]
      })
      assert.is((await acked).accepted.length, 1)
    }
    await Promise.all([left.upTo(left.cursor), right.upTo(left.cursor)])
    assert.equal(left.changes, right.changes)
    assert.is(left.changes.filter(([, , , , , , kind]) => kind === 'setting.put').length, 20)
  })

  test(`${way}: a frame of the greatest size goes both ways`, async context => {
    const at = await scene(context)
    const client = await member(context, at, way)
    const actions = Array.from({ length: 16 }, (_, index) => [
      index + 1,
      0,
      'setting.put',
      `s${index}`,
      { value: 'x'.repeat(65_000) }
    ])
    const acked = client.next('acked', ({ accepted }) => accepted.some(([number]) => number === 16))
    client.send('push', { confirmed: 0, actions: actions as never })
    const [last] = (await acked).accepted.slice(-1)
    await client.upTo(last![1])
    assert.is(client.changes.length, last![1])
  })

  test(`${way}: a revoked device is told so, and cut off at once`, async context => {
    const at = await scene(context)
    const client = await member(context, at, way)
    const account = (await at.hub.hub.account('reader'))!
    await account.write('device.revoke', at.device, {})
    assert.is(await client.closed(), 4_403)
    assert.is(client.bye?.code, 'device-revoked')
    await gone(at.hub)
  })

  test(`${way}: a made-up token is refused with 4401`, async context => {
    const { hub } = await scene(context)
    const client = wire(context, way)
    await client.connect(hub.listensOn, 'lectern_nothing').catch(() => undefined)
    assert.is(await client.closed(), 4_401)
    assert.is(client.bye?.code, 'unauthenticated')
  })

  test(`${way}: garbage is refused with 1007`, async context => {
    const at = await scene(context)
    const client = await member(context, at, way)
    client.sendBytes(Buffer.of(0xc1))
    assert.is(await client.closed(), 1_007)
    assert.is(client.bye?.code, 'bad-frame')
  })

  test(`${way}: a first frame of more than a hello is refused`, async context => {
    const { hub } = await scene(context)
    const client = wire(context, way)
    await client.open(hub.listensOn)
    client.sendBytes(Buffer.alloc(LIMITS.maxHelloBytes + 1))
    assert.is(await client.closed(), 1_009)
  })

  test(`${way}: an event with text, or of another name, is refused with 1007`, async context => {
    const { hub } = await scene(context)
    for (const [event, value] of [
      ['frame', 'text'],
      ['chat', Buffer.of(1)],
      ['chat', 'text']
    ] as const) {
      const socket = openSocketIo(hub.listensOn, way)
      context.defer(() => socket.disconnect())
      const code = new Promise(resolve => socket.on('close', resolve))
      socket.emit(event, value)
      assert.is(await code, 1_007)
    }
    await gone(hub)
  })

  test(`${way}: who says nothing is told so and let go`, async context => {
    const { hub } = await scene(context)
    const client = wire(context, way)
    await client.open(hub.listensOn)
    assert.is(await client.closed(), 4_408)
    assert.is(client.bye?.code, 'hello-timeout')
    await gone(hub)
  })
}

test.run()
