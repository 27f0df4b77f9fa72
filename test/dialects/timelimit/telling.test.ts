import * as assert from 'uvu/assert'
import type { HubError } from '../../../protocol/index.ts'
import { FamilyReadings } from '../../../server/dialects/timelimit/family-readings.ts'
import { Telling } from '../../../server/dialects/timelimit/telling.ts'
import { ask, testFamily } from '../../util/households.ts'
import { servingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'
import { FamilyScene, PHONE, TABLET } from './family-scene.ts'

const test = suite('dialects/timelimit/telling', { limitMs: 30_000 })

const PIECE = 'x'.repeat(65_536)

test('a device has four long answers to read at most, be they read or given up', async () => {
  const { account, core } = await FamilyScene.open()
  const telling = new Telling(core.clock)
  const begin = async (device: string) => {
    const { text } = await telling.tell({ account, device }, [PIECE, PIECE, PIECE].values())
    const answer = text as AsyncGenerator<string, void, void>
    assert.is((await answer.next()).value!.length, PIECE.length)
    return answer
  }
  const refused = () =>
    begin(PHONE).then(
      () => 'told',
      ({ code }: HubError) => code
    )
  const [first, second] = [await begin(PHONE), await begin(PHONE), await begin(PHONE), await begin(PHONE)]
  assert.is(await refused(), 'overloaded')
  await begin(TABLET)
  const short = await telling.tell({ account, device: PHONE }, ['short'].values())
  assert.is(short.text, 'short')
  await first.return()
  await begin(PHONE)
  assert.is(await refused(), 'overloaded')
  let rest = 0
  for await (const text of second) rest += text.length
  assert.is(rest, 2 * PIECE.length)
  await begin(PHONE)
  assert.is(await refused(), 'overloaded')
})

test('a reader that does not read is refused further answers, with 503, until it goes', async context => {
  const hub = await servingHub(context)
  const { join } = await testFamily(hub)
  const data = Buffer.alloc(524_288, 7).toString('base64')
  let deviceAuthToken = ''
  for (let device = 0; device < 8; device++) {
    deviceAuthToken = (await join()).token
    const encodedAction = JSON.stringify({ type: 'UPDATE_INSTALLED_APPS', b: data, d: data, w: false })
    const action = { encodedAction, sequenceNumber: 0, integrity: '', type: 'appLogic', userId: '' }
    assert.is((await ask(hub.url, '/sync/push-actions', { deviceAuthToken, actions: [action] })).status, 200)
  }
  const status = { devices: '', users: '', apps: {}, categories: {}, clientLevel: 8 }
  const pull = (): Promise<Response> =>
    fetch(`${hub.url}/sync/pull-status`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ deviceAuthToken, status })
    })
  const unread = [await pull(), await pull(), await pull(), await pull()]
  const refused = await pull()
  assert.equal([unread.map(({ status }) => status), refused.status], [[200, 200, 200, 200], 503])
  assert.is(refused.headers.get('retry-after'), '1')
  for (const { body } of unread) await body!.cancel()
  let last = 503
  while (last === 503) {
    const response = await pull()
    last = response.status
    await response.body!.cancel()
  }
  assert.is(last, 200)
})

test('whoever keeps a family that was read keeps no older records: it is as it is whenever it is read', async () => {
  const scene = await FamilyScene.open()
  const readings = new FamilyReadings()
  const family = readings.of(scene.account)
  const names = () => [
    family.get('device', PHONE)!.device.name,
    family.all('device').find(([id]) => id === PHONE)![1].device.name
  ]
  assert.equal(names(), ['phone', 'phone'])
  assert.is(family.all('device'), family.all('device'))
  await scene.parent({ type: 'UPDATE_DEVICE_NAME', deviceId: PHONE, name: 'new' })
  assert.is(readings.of(scene.account), family)
  assert.equal(names(), ['new', 'new'])
})

test.run()
