import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import type { Joined } from '../../../server/dialects/timelimit/households.ts'
import { HouseholdSockets, type EventSocket } from '../../../server/dialects/timelimit/sockets.ts'
import { deviceLogin, EVENT_CLIENTS, eventClient } from '../../util/event-clients.ts'
import { testFamily, type TestFamily } from '../../util/households.ts'
import { servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/timelimit/sockets', { limitMs: 30_000 })

let shared: Promise<TestServingHub> | undefined
const cleanups: (() => unknown)[] = []
const hubOfAll = (): Promise<TestServingHub> => (shared ??= servingHub({ defer: cleanup => cleanups.push(cleanup) }))

/** A family whose devices are all shown as connected, and their tokens. */
async function shownFamily(hub: TestServingHub, devices: number): Promise<{ family: TestFamily; shown: Joined[] }> {
  const family = await testFamily(hub)
  const shown = [family.first]
  while (shown.length < devices) shown.push(await family.join())
  for (const { device } of shown) await family.act({ type: 'SET_SEND_DEVICE_CONNECTED', deviceId: device, enable: true })
  return { family, shown }
}

const sorted = (...devices: Joined[]): string[] => devices.map(({ device }) => device).sort()

for (const kind of EVENT_CLIENTS) {
  test(`socket.io ${kind}: a device that signs in is answered without arguments, and told who is connected`, async context => {
    const hub = await hubOfAll()
    const { shown } = await shownFamily(hub, 2)
    const [first, second] = shown as [Joined, Joined]
    const one = eventClient(context, hub.url, kind)
    await one.next('connect')
    assert.equal(await deviceLogin(one.socket, first.token), [])
    assert.equal(await one.next('connected devices'), [[first.device]])
    const other = eventClient(context, hub.url, kind)
    await other.next('connect')
    await deviceLogin(other.socket, second.token)
    assert.equal(await other.next('connected devices'), [sorted(first, second)])
    assert.equal(await one.next('connected devices'), [sorted(first, second)])
    other.socket.close()
    assert.equal(await one.next('connected devices'), [[first.device]])
  })

  test(`socket.io ${kind}: a token that nobody knows is answered all the same, and told nothing`, async context => {
    const hub = await hubOfAll()
    const { family } = await shownFamily(hub, 1)
    const stranger = eventClient(context, hub.url, kind)
    await stranger.next('connect')
    assert.equal(await deviceLogin(stranger.socket, 'a'.repeat(32)), [])
    const one = eventClient(context, hub.url, kind)
    await one.next('connect')
    await deviceLogin(one.socket, family.first.token)
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
  const { family } = await shownFamily(hub, 1)
  const { token, device } = family.first
  const [open, connected, ack, list] = await converse(hub.url, ['40', `420["devicelogin","${token}"]`], text =>
    text.startsWith('42')
  )
  const { pingInterval, pingTimeout, maxPayload } = JSON.parse(open!.slice(1)) as Record<string, number>
  assert.equal([pingInterval, pingTimeout, maxPayload], [25_000, 20_000, 1_000_000])
  assert.match(connected!, /^40\{"sid":"[^"]+"\}$/)
  assert.equal([ack, list], ['430[]', `42["connected devices",["${device}"]]`])
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
  known(): void {
    this.isKnown = true
  }
  cut(): void {
    this.isConnected = false
  }
}

test('sockets that never sign in cannot take the room of others: the oldest goes, and who signed in stays', async () => {
  const hub = await hubOfAll()
  const { first } = await testFamily(hub)
  const sockets = new HouseholdSockets(hub.households.tokens, hub.logger)
  const come = () => {
    const socket = new RecordedSocket()
    return { socket, ...sockets.accept(socket) }
  }
  const known = come()
  known.onEvent('devicelogin', [first.token], undefined)
  while (!known.socket.isKnown) await new Promise(resolve => setImmediate(resolve))
  const strangers = Array.from({ length: 1_001 }, come)
  const cut = () => strangers.filter(({ socket }) => !socket.isConnected)
  assert.equal(cut(), strangers.slice(0, 1))
  strangers[1]!.onClose()
  come()
  assert.is(cut().length, 1)
  come()
  assert.equal(cut(), [strangers[0], strangers[2]])
  assert.ok(known.socket.isConnected)
})

test('a hint goes to every device but the one that it comes from, each as urgent as the change is to it', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const [sender, target, nobody] = [family.first, await family.join(), await family.join()]
  const sockets = new HouseholdSockets(hub.households.tokens, hub.logger)
  const all = [sender, target, nobody].map(({ token }) => {
    const socket = new RecordedSocket()
    sockets.accept(socket).onEvent('devicelogin', [token], undefined)
    return socket
  })
  while (!all.every(({ isKnown }) => isKnown)) await new Promise(resolve => setImmediate(resolve))
  sockets.notify(family.account, 1, new Map([[target.device, 2]]), sender.device)
  sockets.notify(family.account, 0, new Map([[target.device, 1]]))
  sockets.notify((await testFamily(hub)).account, 2)
  sockets.signOut(family.account.id, nobody.device)
  assert.equal(
    all.map(({ events }) => events),
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

test('of one device eight sockets stay, the newest, and a full room takes from the device that has most: each device hears', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const crowd = [family.first]
  while (crowd.length < 33) crowd.push(await family.join())
  const sockets = new HouseholdSockets(hub.households.tokens, hub.logger)
  const come = async ({ token }: Joined) => {
    const socket = new RecordedSocket()
    sockets.accept(socket).onEvent('devicelogin', [token], undefined)
    while (!socket.isKnown) await new Promise(resolve => setImmediate(resolve))
    return socket
  }
  const [last] = crowd.splice(-1)
  const many: RecordedSocket[] = []
  for (let index = 0; index < 10; index++) many.push(await come(crowd[0]!))
  assert.equal(
    many.map(({ isConnected }) => isConnected),
    [false, false, ...Array<boolean>(8).fill(true)]
  )
  const others: RecordedSocket[] = []
  for (const joined of crowd.slice(1)) for (let index = 0; index < 8; index++) others.push(await come(joined))
  assert.ok(others.every(({ isConnected }) => isConnected))
  const newcomer = await come(last!)
  const all = [...many, ...others, newcomer]
  assert.is(all.filter(({ isConnected }) => isConnected).length, 256)
  assert.not.ok(many[2]!.isConnected)
  sockets.notify(family.account, 2)
  assert.equal(
    all.map(({ events }) => events.length),
    all.map(({ isConnected }) => (isConnected ? 1 : 0))
  )
})

test('a removed device that goes late takes nothing from those who came meanwhile', async () => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const removed = await family.join()
  const sockets = new HouseholdSockets(hub.households.tokens, hub.logger)
  const come = async (token: string) => {
    const socket = new RecordedSocket()
    const listener = sockets.accept(socket)
    listener.onEvent('devicelogin', [token], undefined)
    while (!socket.isKnown) await new Promise(resolve => setImmediate(resolve))
    return { ...listener, socket }
  }
  const late = await come(removed.token)
  const before = await come(family.first.token)
  sockets.drop(family.account, removed.device)
  before.onClose()
  const after = await come(family.first.token)
  late.onClose()
  sockets.notify(family.account, 2)
  assert.equal(after.socket.events, [['should sync', { isImportant: true }]])
})

test('a device that is removed is told to look at once, and nothing after that; the others when they are used', async context => {
  const hub = await hubOfAll()
  const family = await testFamily(hub)
  const removed = await family.join()
  const other = await family.join()
  const sockets = [removed, other].map(({ token }) => ({ token, ...eventClient(context, hub.url, '4 by websocket') }))
  for (const { token, socket, next } of sockets) {
    await next('connect')
    await deviceLogin(socket, token)
  }
  await hub.households.remove(family.first, removed.device)
  hub.households.sockets.notify(family.account, 2)
  assert.equal(await Promise.all(sockets.map(({ next }) => next('should sync'))), [
    [{ isImportant: true }],
    [{ isImportant: false }]
  ])
  // What was sent before an acknowledgement has arrived with it.
  await Promise.all(sockets.map(({ socket }) => deviceLogin(socket, 'nobody')))
  assert.equal(
    sockets.map(({ heard }) => heard.filter(([name]) => name === 'should sync').length),
    [1, 2]
  )
})

test('the hub of all is closed', async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

test('a hub that stops waits for no client, be it one that polls', async context => {
  const hub = await servingHub(context)
  for (const kind of EVENT_CLIENTS) {
    const client = eventClient(context, hub.url, kind)
    await client.next('connect')
    await deviceLogin(client.socket, 'a'.repeat(32))
  }
  let timer: NodeJS.Timeout | undefined
  // The process gives up after 9 seconds, and leaves its store unclosed.
  const late = new Promise(resolve => (timer = setTimeout(resolve, 9_000, 'late')))
  assert.is(await Promise.race([hub.close().then(() => 'closed'), late]), 'closed')
  clearTimeout(timer)
})

test.run()
