import * as assert from 'uvu/assert'
import { suite } from '../../../util/suite.ts'
import { newId, type SentAction } from '../../../util/timelimit-client.ts'
import { HouseholdMirror } from '../../../util/timelimit-mirror.ts'
import type { Scene } from './cases/action-case.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/keys')

const { scene } = household(test)

const bytes = (count: number): string => Buffer.alloc(count, 1).toString('base64')
const COUNT = 40

const request = ({ target }: Scene, dsn: number, more: Record<string, unknown> = {}): SentAction =>
  target.appLogic({ type: 'SEND_KEY_REQUEST', dsn, dataType: 1, tempKey: bytes(32), signature: bytes(64), ...more })

const reply = ({ device }: Scene, rsn: number): SentAction =>
  device.appLogic({ type: 'REPLY_TO_KEY_REQUEST', rsn, tempKey: bytes(32), encryptedKey: bytes(8), signature: bytes(64) })

test('requests and replies are told 32 at a time, in order, from where the client has got to', async () => {
  const all = await scene()
  const { device, target } = all
  device.mirror = new HouseholdMirror()
  await target.act(...Array.from({ length: COUNT }, (_, dsn) => request(all, dsn, { categoryId: newId() })))
  const [first, second, third] = [await device.pull(), await device.pull(), await device.pull()]
  assert.equal([first.krq.length, second.krq.length, third.krq], [32, COUNT - 32, undefined])
  const told = [...first.krq, ...second.krq]
  assert.equal(
    told.map(({ senSeq }: any) => senSeq),
    Array.from({ length: COUNT }, (_, dsn) => dsn)
  )
  assert.ok(told.every(({ srvSeq }: any, at) => at === 0 || srvSeq > told[at - 1].srvSeq))

  await device.act(...told.map(({ srvSeq }: any) => reply(all, srvSeq)))
  const [replies, rest, none] = [await target.pull(), await target.pull(), await target.pull()]
  assert.equal([replies.kr.length, rest.kr.length, none.kr], [32, COUNT - 32, undefined])
  assert.equal(
    [...replies.kr, ...rest.kr].map(({ rqSeq }: any) => rqSeq),
    Array.from({ length: COUNT }, (_, dsn) => dsn)
  )
})

test('a device has one request open for the same thing: the newest', async () => {
  const all = await scene()
  const { device, target } = all
  device.mirror = new HouseholdMirror()
  const categoryId = newId()
  await target.act(
    request(all, 101, { categoryId }),
    request(all, 102, { categoryId }),
    request(all, 103, { categoryId: newId() })
  )
  const told: any[] = []
  for (let { krq } = await device.pull(); krq !== undefined; { krq } = await device.pull()) told.push(...krq)
  assert.equal(
    told.filter(({ senSeq }) => senSeq > 100).map(({ senSeq }) => senSeq),
    [102, 103]
  )
})

test('a request is answered once by each device, and an answer to none is no error', async () => {
  const all = await scene()
  const { device, target, watcher } = all
  await target.act(request(all, 200, { dataType: 2 }))
  watcher.mirror = new HouseholdMirror()
  let found: any
  for (let { krq } = await watcher.pull(); krq !== undefined; { krq } = await watcher.pull())
    found = krq.find(({ senSeq }: any) => senSeq === 200) ?? found
  const { srvSeq } = found
  await device.act(reply(all, srvSeq), reply(all, srvSeq), reply(all, 1_000_000))
  const { kr } = await target.pull()
  assert.equal(
    kr.map(({ sender, rqSeq }: any) => [sender, rqSeq]),
    [[device.id, 200]]
  )
  await target.act(
    target.appLogic({ type: 'FINISH_KEY_REQUEST', dsn: 200 }),
    target.appLogic({ type: 'FINISH_KEY_REQUEST', dsn: 200 })
  )
})

test('pings of two devices to a third are told each by its sender, and a new one takes the place of the old', async () => {
  const { device, target, watcher } = await scene()
  const ping = async (from: typeof device, token: string): Promise<string> => {
    await from.act(from.appLogic({ type: 'PING', deviceId: target.id, event: 'ping', token }))
    return token
  }
  await ping(device, newId())
  const [second, other] = [await ping(device, newId()), await ping(watcher, newId())]
  const { pings } = await target.pull()
  const byToken = (list: any[]): any[] => [...list].sort((left, right) => (left.token < right.token ? -1 : 1))
  assert.equal(
    byToken(pings),
    byToken([
      { deviceId: device.id, token: second, type: 'ping' },
      { deviceId: watcher.id, token: other, type: 'ping' }
    ])
  )
  await target.act(target.appLogic({ type: 'PING', deviceId: device.id, event: 'clear', token: newId() }))
  assert.is((await target.pull()).pings.length, 2, 'another token clears nothing')
  for (const [from, token] of [
    [device, second],
    [watcher, other]
  ] as const)
    // prettier-ignore
    await target.act(target.appLogic({ type: 'PING', deviceId: from.id, event: 'clear', token }))
  assert.equal((await target.pull()).pings, [])
})

test.run()
