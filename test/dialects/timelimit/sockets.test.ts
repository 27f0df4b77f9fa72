import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { HouseholdSockets, type EventSocket } from '../../../server/dialects/timelimit/sockets.ts'
import { DeviceTokens } from '../../../server/dialects/timelimit/tokens.ts'
import { deviceLogin, EVENT_CLIENTS, eventClient } from '../../util/event-clients.ts'
import { servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/timelimit/sockets', { limitMs: 30_000 })

let shared: Promise<TestServingHub> | undefined
const cleanups: (() => unknown)[] = []
const hubOfAll = (): Promise<TestServingHub> => (shared ??= servingHub({ defer: cleanup => cleanups.push(cleanup) }))

/** A device of an account, past registration. */
async function device({ hub, store }: TestServingHub, account: string, id: string): Promise<string> {
  const { token, secretHash } = await new DeviceTokens(hub, store, randomBytes).issue(account, id)
  const opened = await hub.ensureAccount(account)
  await opened.write('device.put', id, { name: id, app: 'test', readOnly: false }, secretHash)
  return token
}

for (const kind of EVENT_CLIENTS) {
  test(`socket.io ${kind}: a device that signs in is answered without arguments, and told who is connected`, async context => {
    const hub = await hubOfAll()
    const [first, second] = [await device(hub, kind, 'devAAA'), await device(hub, kind, 'devBBB')]
    const one = eventClient(context, hub.url, kind)
    await one.next('connect')
    assert.equal(await deviceLogin(one.socket, first), [])
    assert.equal(await one.next('connected devices'), [['devAAA']])
    const other = eventClient(context, hub.url, kind)
    await other.next('connect')
    await deviceLogin(other.socket, second)
    assert.equal(await other.next('connected devices'), [['devAAA', 'devBBB']])
    assert.equal(await one.next('connected devices'), [['devAAA', 'devBBB']])
    other.socket.close()
    assert.equal(await one.next('connected devices'), [['devAAA']])
  })

  test(`socket.io ${kind}: a token that nobody knows is answered all the same, and told nothing`, async context => {
    const hub = await hubOfAll()
    const account = `stranger ${kind}`
    const known = await device(hub, account, 'devAAA')
    const stranger = eventClient(context, hub.url, kind)
    await stranger.next('connect')
    assert.equal(await deviceLogin(stranger.socket, 'a'.repeat(32)), [])
    const one = eventClient(context, hub.url, kind)
    await one.next('connect')
    await deviceLogin(one.socket, known)
    await one.next('connected devices')
    // A second login is answered after whatever the first would have brought.
    await deviceLogin(stranger.socket, 'b'.repeat(32))
    assert.equal(
      stranger.heard.map(([name]) => name),
      ['connect']
    )
  })
}

test('a token that is no text is not answered', async context => {
  const hub = await hubOfAll()
  const { socket, next } = eventClient(context, hub.url, '4 by websocket')
  await next('connect')
  let isAnswered = false
  void deviceLogin(socket, 7).then(() => (isAnswered = true))
  await deviceLogin(socket, 'x')
  assert.not.ok(isAnswered)
})

/** Speaks Engine.IO 4 by hand. @returns what the hub sent until it closed, or until `isEnough` */
function converse(
  url: string,
  messages: readonly (string | Uint8Array)[],
  isEnough: (text: string) => boolean
): Promise<string[]> {
  return new Promise(resolve => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
    const texts: string[] = []
    socket.on('error', () => undefined)
    socket.on('open', () => messages.forEach(message => socket.send(message)))
    socket.on('message', (data: Buffer) => {
      texts.push(data.toString())
      if (!isEnough(data.toString())) return
      socket.terminate()
      resolve(texts)
    })
    socket.on('close', () => resolve([...texts, 'closed']))
  })
}

test('the handshake names the times of the heartbeat, and the bytes that go on the wire are those of socket.io', async () => {
  const hub = await hubOfAll()
  const token = await device(hub, 'raw', 'devAAA')
  const [open, connected, ack, list] = await converse(hub.url, ['40', `420["devicelogin","${token}"]`], text =>
    text.startsWith('42')
  )
  const { pingInterval, pingTimeout, maxPayload } = JSON.parse(open!.slice(1)) as Record<string, number>
  assert.equal([pingInterval, pingTimeout, maxPayload], [25_000, 20_000, 1_000_000])
  assert.match(connected!, /^40\{"sid":"[^"]+"\}$/)
  assert.equal([ack, list], ['430[]', '42["connected devices",["devAAA"]]'])
})

for (const [what, messages] of Object.entries({
  'an event before it is connected': ['42["devicelogin","x"]'],
  'no JSON': ['40', '42["devicelogin"'],
  'an event without a name': ['40', '42[{}]'],
  'a binary event': ['40', '451-["devicelogin",{"_placeholder":true,"num":0}]'],
  bytes: ['40', new Uint8Array(4)],
  'a flood': ['40', ...Array<string>(100).fill('42["devicelogin","x"]')],
  'more than a stranger may send': ['40', `42["devicelogin","${'x'.repeat(70_000)}"]`]
}))
  test(`a client that sends ${what} is cut off`, async () => {
    const hub = await hubOfAll()
    assert.is((await converse(hub.url, messages, () => false)).at(-1), 'closed')
  })

test('another namespace is refused, and the default one goes on', async () => {
  const hub = await hubOfAll()
  const heard = await converse(hub.url, ['40/admin,', '40'], text => text.startsWith('40'))
  assert.is(heard[1], '44/admin,{"message":"Invalid namespace"}')
})

test('a page of another origin is refused over either transport', async () => {
  const hub = await hubOfAll()
  const headers = { origin: 'https://elsewhere.example' }
  assert.is((await fetch(`${hub.url}/socket.io/?EIO=4&transport=polling`, { headers })).status, 403)
  const status = await new Promise(resolve => {
    const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { headers })
    socket.on('error', () => undefined)
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
  })
  assert.is(status, 403)
})

/** A socket that is a list of what it is sent. */
class RecordedSocket implements EventSocket {
  isKnown = false
  isConnected = true
  readonly events: unknown[][] = []
  emit(...event: unknown[]): void {
    this.events.push(event)
  }
}

test('a hint goes to every device but the one that it comes from, each as urgent as the change is to it', async context => {
  const hub = await servingHub(context)
  const tokens = new DeviceTokens(hub.hub, hub.store, randomBytes)
  const sockets = new HouseholdSockets({ tokens, isShown: () => false, failed: error => assert.unreachable(String(error)) })
  const all = new Map<string, RecordedSocket>()
  for (const id of ['sender', 'target', 'nobody']) {
    const socket = new RecordedSocket()
    all.set(id, socket)
    sockets.accept(socket).onEvent('devicelogin', [await device(hub, 'hints', id)], undefined)
    while (!socket.isKnown) await new Promise(resolve => setImmediate(resolve))
  }
  sockets.notify('hints', 1, new Map([['target', 2]]), 'sender')
  sockets.notify('hints', 0, new Map([['target', 1]]))
  sockets.notify('others', 2)
  sockets.signOut('hints', 'nobody')
  assert.equal(
    [...all.values()].map(({ events }) => events),
    [
      [],
      [
        ['should sync', { isImportant: true }],
        ['should sync', { isImportant: false }]
      ],
      [['should sync', { isImportant: false }], ['sign out']]
    ]
  )
})

test('the hub of all is closed', async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

test.run()
