import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { suite } from '../../../util/suite.ts'
import { isError, newId, type SentAction, type TimeLimitAnswer } from '../../../util/timelimit-client.ts'
import type { Scene } from './cases/action-case.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/requests')

const { scene } = household(test)

/** Time that the device has counted, which shows how often actions took effect. */
const counted = async ({ device }: Scene, categoryId: string): Promise<number> =>
  ((await device.pullAll()).times(categoryId)[0]?.time as number | undefined) ?? 0

const count = ({ device }: Scene, categoryId: string, timeToAdd = 1): SentAction =>
  device.appLogic({ type: 'ADD_USED_TIME', categoryId, day: 20_000, timeToAdd, extraTimeToSubtract: 0 })

const numbered = (action: SentAction, sequenceNumber: number): SentAction => ({ ...action, sequenceNumber })

test('a body that is none is 400, by whatever is wrong with it, and nothing of it is done', async () => {
  const all = await scene()
  const { device } = all
  const categoryId = await all.addCategory()
  const action = count(all, categoryId)
  const { encodedAction: _, ...half } = action
  const ask = (fields: Record<string, unknown>): Promise<TimeLimitAnswer> => device.ask('/sync/push-actions', fields)
  const wrong: Record<string, Record<string, unknown>> = {
    'no actions': {},
    'actions of another type': { actions: {} },
    'actions null': { actions: null },
    'a member too many': { actions: [action], more: 1 },
    'a token of another type': { actions: [action], deviceAuthToken: 5 },
    'an action that is none': { actions: [5] },
    'an action too short': { actions: [half] },
    'an action with a member too many': { actions: [{ ...action, more: 1 }] },
    'an encoded action of another type': { actions: [{ ...action, encodedAction: {} }] },
    'a number of another type': { actions: [{ ...action, sequenceNumber: '1' }] },
    'an integrity of another type': { actions: [{ ...action, integrity: null }] },
    'another type of action': { actions: [{ ...action, type: 'grandparent' }] },
    'a user of another type': { actions: [{ ...action, userId: null }] },
    'a good action beside a bad one': { actions: [action, half] },
    'over 50 actions': { actions: Array.from({ length: 51 }, () => action) }
  }
  for (const [what, fields] of Object.entries(wrong)) isError(await ask(fields), 400, what)
  isError(await device.ask('/sync/push-actions', { deviceAuthToken: undefined, actions: [] }), 400, 'no token')
  const { url } = device
  const { post } = all.family.hub
  for (const body of ['', '{', '[]', 'null', '5', '"a"', '{"a":1}', '\u0000'])
    isError(await post('/sync/push-actions', body), 400, body)
  const whole = JSON.stringify({ deviceAuthToken: device.token, actions: [action] })
  isError(await post('/sync/push-actions', whole, { headers: { 'content-type': 'text/plain' } }), 400, 'another content type')
  isError(await post('/sync/push-actions', whole, { headers: { 'content-encoding': 'gzip' } }), 400, 'gzip that is none')
  assert.is(await counted(all, categoryId), 0, url)
  await device.act(action)
  assert.is(await counted(all, categoryId), 1)
})

test('50 actions and none are taken', async () => {
  const all = await scene()
  const categoryId = await all.addCategory()
  await all.device.act(...Array.from({ length: 50 }, () => count(all, categoryId)))
  assert.is(await counted(all, categoryId), 50)
  const { status, type, text } = await all.device.ask('/sync/push-actions', { actions: [] })
  assert.equal([status, text], [200, '{"shouldDoFullSync":false}'])
  assert.match(type!, /^application\/json; charset=utf-8$/i)
})

test('a body is taken plain and gzipped, up to 5120 KiB', async () => {
  const all = await scene()
  const { device } = all
  const categoryId = await all.addCategory()
  for (const gzip of [true, false]) {
    const { status, json } = await device.ask('/sync/push-actions', { actions: [count(all, categoryId)] }, { gzip })
    assert.equal([status, json], [200, { shouldDoFullSync: false }])
  }
  const filled = (bytes: number): string => {
    const body = { deviceAuthToken: device.token, actions: [count(all, categoryId)] }
    const room = bytes - Buffer.byteLength(JSON.stringify(body))
    return JSON.stringify(body) + ' '.repeat(room)
  }
  const limit = 5_120 * 1_024
  const zipped = { headers: { 'content-encoding': 'gzip' } }
  const { post } = all.family.hub
  assert.is((await post('/sync/push-actions', filled(limit))).status, 200)
  isError(await post('/sync/push-actions', filled(limit + 1)), 413)
  assert.is((await post('/sync/push-actions', gzipSync(filled(limit)), zipped)).status, 200)
  isError(await post('/sync/push-actions', gzipSync(filled(limit + 1)), zipped), 413, 'inflated')
  assert.is(await counted(all, categoryId), 4)
})

test('the other calls take bodies of up to 100 KiB', async () => {
  const { family } = await scene()
  for (const path of ['/sync/pull-status', '/sync/report-removed', '/sync/is-device-removed', '/child/add-device'])
    isError(await family.hub.post(path, `{"deviceAuthToken":"${'a'.repeat(103_000)}"}`), 413, path)
  isError(
    await family.hub.post('/sync/is-device-removed', gzipSync(' '.repeat(2_000_000)), {
      headers: { 'content-encoding': 'gzip' }
    }),
    413
  )
})

test('an unknown token is 401, and another method or path 404', async () => {
  const { family } = await scene()
  const { hub } = family
  for (const deviceAuthToken of ['', 'a'.repeat(32), 'short', 'a'.repeat(10_000)])
    isError(await hub.post('/sync/push-actions', { deviceAuthToken, actions: [] }), 401, deviceAuthToken.slice(0, 40))
  for (const path of ['push-actions', 'pull-status', 'report-removed', 'is-device-removed'])
    isError(await hub.post(`/sync/${path}`, undefined, { method: 'GET' }), 404, path)
  isError(await hub.post('/sync/nothing', {}), 404)
})

test('numbers begin at 0, may have gaps, and never go back', async () => {
  const all = await scene()
  const device = await all.family.join()
  const categoryId = await all.addCategory()
  const sent = (number: number): Promise<boolean> => device.push(numbered(count(all, categoryId), number))
  assert.is(await sent(0), false)
  assert.is(await sent(0), true, 'a repeat')
  assert.is(await sent(5), false, 'a gap')
  for (const number of [3, 5, 0, -1, -5.5]) assert.is(await sent(number), true, `${number} after 5`)
  assert.is(await counted(all, categoryId), 2)
  assert.is(await sent(6), false)
  assert.is(await counted(all, categoryId), 3)
  await sent(1_500.5)
  assert.is(await sent(1_502), false, 'a number that is not whole is no error of the request, and those after it count')
  assert.is(await sent(1_500), true)
})

test('a repeat is skipped, and what follows it in the request is done', async () => {
  const all = await scene()
  const categoryId = await all.addCategory()
  const [first, second, third] = [count(all, categoryId, 1), count(all, categoryId, 10), count(all, categoryId, 100)]
  await all.device.act(first)
  assert.is(await all.device.push(first, second, second, third), true)
  assert.is(await counted(all, categoryId), 111)
  assert.is(await all.device.push(first, second, third), true, 'all of it again')
  assert.is(await counted(all, categoryId), 111)
})

test('actions are done in the order in which they stand, not in that of their numbers', async () => {
  const all = await scene()
  const { device, parent } = all
  const rename = (name: string): SentAction => device.parent(parent, { type: 'UPDATE_DEVICE_NAME', deviceId: device.id, name })
  const [first, second] = [rename('first'), rename('second')]
  assert.is(await device.push(second, first), true)
  assert.is((await device.pullAll()).device(device.id).name, 'second')
  await device.act(rename('third'), rename('fourth'))
  assert.is((await device.pullAll()).device(device.id).name, 'fourth')
})

test('a refused action is refused alone, asks for a full sync once, and its number is used up', async () => {
  const all = await scene()
  const { device } = all
  const categoryId = await all.addCategory()
  const bad = { ...count(all, newId()) }
  assert.is(await device.push(count(all, categoryId), bad, count(all, categoryId)), true)
  assert.is(await counted(all, categoryId), 2)
  assert.is(await device.push(numbered(count(all, categoryId), bad.sequenceNumber)), true, 'its number, with what is fine')
  assert.is(await counted(all, categoryId), 2)
  assert.is(await device.push(count(all, categoryId)), false, 'the next answer knows nothing of it')
})

test('time of an unknown category asks for a full sync, and the rest of the action is done', async () => {
  const all = await scene()
  const { device } = all
  const categoryId = await all.addCategory()
  const i = [newId(), categoryId].map(id => ({ categoryId: id, tta: 5, etts: 0 }))
  assert.is(await device.push(device.appLogic({ type: 'ADD_USED_TIME_V2', d: 20_000, i })), true)
  assert.is(await counted(all, categoryId), 5)
})

test('gaps, and actions that change nothing, ask for no full sync', async () => {
  const all = await scene()
  const { device, parent, target, child, act } = all
  const taskId = await all.addTask(await all.addCategory())
  await act({ type: 'SET_DEVICE_USER', deviceId: target.id, userId: child.id })
  const pending = (): SentAction => target.appLogic({ type: 'MARK_TASK_PENDING', taskId })
  await target.act(pending(), pending())
  const name = (): SentAction => device.parent(parent, { type: 'UPDATE_DEVICE_NAME', deviceId: device.id, name: 'the same' })
  device.nextNumber += 1_000
  await device.act(name(), name(), device.appLogic({ type: 'REMOVE_INSTALLED_APPS', packageNames: [] }))
})

test('devices count for themselves, and push beside each other', async () => {
  const all = await scene()
  const categoryId = await all.addCategory()
  const devices = [await all.family.join(), await all.family.join(), await all.family.join()]
  const answers = await Promise.all(
    devices.flatMap(device =>
      [0, 1, 2].map(number => device.push({ ...numbered(count(all, categoryId), number * 2), userId: '' }))
    )
  )
  const done = answers.filter(isRepeat => !isRepeat).length
  assert.is(await counted(all, categoryId), done, 'what was answered as done is done, and nothing else')
  assert.ok(done >= devices.length)
})

test('GET /time tells the time to anybody', async () => {
  const { family } = await scene()
  const before = Date.now()
  const { status, json, type, headers } = await family.hub.post('/time', undefined, { method: 'GET' })
  assert.is(headers.get('x-powered-by'), null)
  assert.equal([status, Object.keys(json)], [200, ['ms']])
  assert.match(type!, /^application\/json/)
  if (process.env.LECTERN_URL === undefined) assert.ok(json.ms >= before && json.ms <= Date.now())
  assert.ok(Number.isSafeInteger(json.ms))
})

test.run()
