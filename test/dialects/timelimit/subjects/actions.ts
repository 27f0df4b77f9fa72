import * as assert from 'uvu/assert'
import { listen } from '../../../util/timelimit-hub.ts'
import { suite } from '../../../util/suite.ts'
import { actionOf, haveChanged, refusals, type ActionCase } from './cases/action-case.ts'
import { CATEGORY_CASES } from './cases/categories.ts'
import { DEVICE_CASES } from './cases/devices.ts'
import { KEY_CASES } from './cases/keys.ts'
import { LIMIT_CASES } from './cases/limits.ts'
import { USER_CASES } from './cases/users.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/actions')

const CASES: readonly ActionCase[] = [...USER_CASES, ...DEVICE_CASES, ...CATEGORY_CASES, ...LIMIT_CASES, ...KEY_CASES]
/** No case has an effect of it: only a security key may report itself. */
const NEVER = 'REPORT_U2F_LOGIN'

const { scene } = household(test)

test('every one of the 68 kinds of action has a case', () => {
  const kinds = (by: string): number => new Set(CASES.filter(one => one.by === by).map(({ type }) => type)).size
  assert.equal([kinds('appLogic'), kinds('parent') + 1, kinds('child')], [16, 50, 2])
})

for (const one of CASES) {
  const name = one.when === undefined ? one.type : `${one.type} ${one.when}`

  test(`${name} takes effect once, changes its versions alone, and is refused with anything else`, async context => {
    const all = await scene()
    const { device, target, watcher } = all
    const sender = all[one.sender ?? 'device']
    const given = await one.prepare?.(all)
    await sender.pull()
    const before = sender.mirror.versions()
    for (const [wrong, body] of refusals(one, given, all))
      assert.is(await sender.push(actionOf(one, given, all, body)), true, `refused: ${wrong}`)
    assert.equal(Object.keys(await sender.pull()).sort(), ['apiLevel', 'fullVersion', 'pings'], 'what is refused changes nothing')

    const other = sender === device ? target : device
    const [looking, told] = [await listen(context, watcher), await listen(context, other)]
    const action = actionOf(one, given, all, one.body(given, all))
    await sender.act(action)
    // An important word of its own ends what is to be heard of the action.
    await sender.act(sender.appLogic({ type: 'FORCE_SYNC' }))
    const levelOf = async (socket: typeof told, expected: number | undefined): Promise<void> => {
      const [first] = (await socket.next('should sync')) as [{ isImportant: boolean }]
      if (expected === undefined || expected === 0) assert.equal(first, { isImportant: expected === 0 || first.isImportant })
      else {
        assert.equal(first, { isImportant: expected === 2 })
        assert.equal(await socket.next('should sync'), [{ isImportant: true }])
      }
    }
    await levelOf(looking, one.notify)
    await levelOf(told, other === target && one.tellsTarget !== undefined ? one.tellsTarget : one.notify)

    const answer = await sender.pull()
    haveChanged(before, sender.mirror.versions(), one.versions(given, all))
    assert.is(await sender.push(action), true, 'a repeat is skipped')
    assert.equal(Object.keys(await sender.pull()).sort(), ['apiLevel', 'fullVersion', 'pings'], 'a repeat changes nothing')
    await one.effect(sender.mirror, given, all, answer)
    assert.equal((await sender.pull(), sender.mirror.state()), (await sender.pullAll()).state())
  })
}

test(`${NEVER} is refused with a password, and by a device that is kept signed in`, async () => {
  const { device, parent, act } = await scene()
  await act({ type: 'SET_DEVICE_USER', deviceId: device.id, userId: parent.id })
  await act({ type: 'SET_KEEP_SIGNED_IN', deviceId: device.id, keepSignedIn: true })
  for (const proof of ['sha512', 'password', 'device'] as const)
    assert.is(await device.push(device.parent(parent, { type: NEVER }, proof)), true, proof)
})

test('what is no action is refused, whoever sends it', async () => {
  const { device, target, parent, child } = await scene()
  await device.pull()
  const texts = ['', 'null', '[]', '5', '"FORCE_SYNC"', '{', '{}', '{"type":"NOTHING"}', '{"type":5}', '{"type":"__proto__"}']
  for (const encodedAction of texts) {
    const sent = device.appLogic({ type: 'FORCE_SYNC' })
    assert.is(await device.push({ ...sent, encodedAction }), true, encodedAction)
  }
  for (const type of ['RENAME_CHILD', 'CHILD_SIGN_IN', 'NOTHING']) {
    assert.is(await device.push(device.appLogic({ type })), true, type)
    assert.is(await device.push(device.parent(parent, { type })), true, type)
    if (type !== 'CHILD_SIGN_IN') assert.is(await target.push(target.child(child, { type })), true, type)
  }
  assert.is(await device.push(device.parent(parent, { type: 'FORCE_SYNC' })), true, 'an action of the app, from a parent')
  assert.equal(Object.keys(await device.pull()).sort(), ['apiLevel', 'fullVersion', 'pings'])
})

test.run()
