import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { deviceLogin, EVENT_CLIENTS, eventClient } from '../../../util/event-clients.ts'
import { suite } from '../../../util/suite.ts'
import type { SentAction, TimeLimitDevice } from '../../../util/timelimit-client.ts'
import { listen, newFamily } from '../../../util/timelimit-hub.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/live')

const { scene } = household(test)

const forceSync = (device: TimeLimitDevice): SentAction => device.appLogic({ type: 'FORCE_SYNC' })
const IMPORTANT = [{ isImportant: true }]

for (const kind of EVENT_CLIENTS)
  test(`a client of socket.io ${kind} is acknowledged with nothing, and told`, async context => {
    const { device, target } = await scene()
    const client = eventClient(context, device.url, kind)
    assert.equal(await deviceLogin(client.socket, target.token), [])
    await device.act(forceSync(device))
    assert.equal(await client.next('should sync'), IMPORTANT)
  })

test('a login is acknowledged whatever the token, and not at all when it is no text', async context => {
  const { device, target } = await scene()
  const { socket, next } = eventClient(context, device.url, '4 by websocket')
  for (const token of ['a'.repeat(32), '', '\u0000', 'a'.repeat(10_000)]) assert.equal(await deviceLogin(socket, token), [])
  let acked = false
  void deviceLogin(socket, 5).then(() => (acked = true))
  void deviceLogin(socket, { token: target.token }).then(() => (acked = true))
  assert.equal(await deviceLogin(socket, target.token), [], 'a token after those that are none')
  assert.is(acked, false)
  await device.act(forceSync(device))
  assert.equal(await next('should sync'), IMPORTANT)
})

test('a change is told to every other device of the family, once a request, and not to whoever sent it', async context => {
  const { device, target, watcher, parent } = await scene()
  const stranger = (await newFamily((await scene()).family.hub)).device
  const sockets = [await listen(context, device), await listen(context, target), await listen(context, watcher)] as const
  const [own, first, second] = sockets
  const outside = await listen(context, stranger)
  const rename = (): SentAction =>
    device.parent(parent, { type: 'UPDATE_DEVICE_NAME', deviceId: device.id, name: `name ${device.nextNumber}` })
  await device.act(rename())
  for (const socket of [first, second]) assert.equal(await socket.next('should sync'), [{ isImportant: false }])
  await device.act(rename(), forceSync(device), rename())
  for (const socket of [first, second]) assert.equal(await socket.next('should sync'), IMPORTANT, 'the highest of all')
  await device.act()
  await target.act(forceSync(target))
  for (const socket of [own, second]) assert.equal(await socket.next('should sync'), IMPORTANT)
  const count = ({ heard }: typeof own): number => heard.filter(([name]) => name === 'should sync').length
  assert.equal([...sockets.map(count), count(outside)], [1, 2, 3, 0])
})

test('what is told can be pulled at once', async context => {
  const { device, watcher, parent } = await scene()
  const socket = await listen(context, watcher)
  await watcher.pull()
  for (let count = 0; count < 20; count++) {
    const name = `now ${count}`
    const [, told] = await Promise.all([
      device.act(device.parent(parent, { type: 'UPDATE_DEVICE_NAME', deviceId: device.id, name })),
      socket.next('should sync').then(() => watcher.pull())
    ])
    assert.is(told.devices.data.find(({ deviceId }: any) => deviceId === device.id).name, name)
  }
})

test('a socket that was logged in with a token that is old by now stays open', async context => {
  const { device, family } = await scene()
  const leaving = await family.join('leaving')
  const { socket } = await listen(context, leaving)
  await leaving.ask('/sync/report-removed')
  await device.act(forceSync(device))
  assert.is(socket.connected, true)
})

test('connected devices are told whole, oneself among them, and only those that may be shown', async context => {
  const whole = await newFamily((await scene()).family.hub)
  const { device, parent } = whole
  const [shown, hidden] = [await whole.join('shown'), await whole.join('hidden')]
  for (const deviceId of [device.id, shown.id])
    await device.act(device.parent(parent, { type: 'SET_SEND_DEVICE_CONNECTED', deviceId, enable: true }))
  const toldOf = async ({ next }: Awaited<ReturnType<typeof listen>>, ...ids: string[]): Promise<void> => {
    const sorted = (list: readonly string[]): string => [...list].sort().join()
    for (;;) if (sorted((await next('connected devices'))[0] as string[]) === sorted(ids)) return
  }
  const [first, second] = [await listen(context, device), await listen(context, hidden)]
  for (const client of [first, second]) await toldOf(client, device.id)
  const third = await listen(context, shown)
  for (const client of [first, second, third]) await toldOf(client, device.id, shown.id)
  third.socket.close()
  for (const client of [first, second]) await toldOf(client, device.id)
  await device.act(device.parent(parent, { type: 'SET_SEND_DEVICE_CONNECTED', deviceId: device.id, enable: false }))
  await toldOf(second)
})

test('the frames are those of Engine.IO 4', async context => {
  const { device, target } = await scene()
  const socket = new WebSocket(`${device.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  context.defer(() => socket.terminate())
  const heard: string[] = []
  let onFrame: (() => void) | undefined
  socket.on('message', data => {
    heard.push((data as Buffer).toString())
    onFrame?.()
  })
  const frame = async (start: string): Promise<string> => {
    for (;;) {
      const at = heard.findIndex(text => text.startsWith(start))
      if (at >= 0) return heard.splice(at, 1)[0]!
      await new Promise<void>(resolve => (onFrame = resolve))
    }
  }
  const opened = JSON.parse((await frame('0')).slice(1))
  assert.equal([opened.pingInterval, opened.pingTimeout, opened.maxPayload], [25_000, 20_000, 1_000_000])
  socket.send('40')
  assert.type(JSON.parse((await frame('40')).slice(2)).sid, 'string')
  socket.send(`420["devicelogin",${JSON.stringify(target.token)}]`)
  assert.is(await frame('43'), '430[]')
  await device.act(forceSync(device))
  assert.is(await frame('42["should sync"'), '42["should sync",{"isImportant":true}]')
})

test('the hub answers on the path of its own socket.io beside this one', async () => {
  const { device } = await scene()
  for (const path of ['/socket.io/', '/live/socket.io/']) {
    const socket = new WebSocket(`${device.url.replace('http', 'ws')}${path}?EIO=4&transport=websocket`)
    const [data] = await once(socket, 'message')
    assert.is(String(data)[0], '0', path)
    socket.terminate()
  }
})

test.run()
