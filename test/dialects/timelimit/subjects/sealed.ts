import * as assert from 'uvu/assert'
import { suite } from '../../../util/suite.ts'
import { newId, newPassword, type Actor, type Password } from '../../../util/timelimit-client.ts'
import { HouseholdMirror } from '../../../util/timelimit-mirror.ts'
import { seal, type ToldKey } from '../../../util/timelimit-seal.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/sealed')

const { scene } = household(test)

const newUser = (userId: string, password: Password, userType = 'child') => ({
  type: 'ADD_USER',
  name: 'Kim',
  userType,
  userId,
  timeZone: 'Europe/Berlin',
  password
})

test('from level 5 on each device is told a key of its own, once', async () => {
  const { device, target } = await scene()
  const keyOf = async (of: typeof device, level: number): Promise<ToldKey | undefined> =>
    (await of.pullWith(new HouseholdMirror(level).status())).dh
  assert.is(await keyOf(device, 4), undefined)
  const own = (await keyOf(device, 5))!
  assert.equal(Object.keys(own).sort(), ['k', 'v'])
  assert.equal(await keyOf(device, 8), own)
  assert.is.not((await keyOf(target, 5))!.k, own.k)
  const known = { ...new HouseholdMirror(5).status(), dh: own.v }
  assert.is((await device.pullWith(known)).dh, undefined)
  assert.equal((await device.pullWith({ ...known, dh: 'other' })).dh, own)
})

test('a sealed password is as good as one that is not: of a new parent, a child, and one that the child chooses', async () => {
  const { device, parent } = await scene()
  const { dh } = await device.pullWith(new HouseholdMirror(8).status())
  const [second, child] = [newId(), newId()]
  const passwords = Array.from({ length: 4 }, newPassword)
  const acting = (id: string, { secondHash }: Password): Actor => ({ id, secondHash })
  await device.act(device.parent(parent, newUser(second, seal(passwords[0]!, dh), 'parent')))
  await device.act(device.parent(acting(second, passwords[0]!), newUser(child, seal(passwords[1]!, dh))))
  await device.act(device.child(acting(child, passwords[1]!), { type: 'CHILD_SIGN_IN' }))
  const changed = { type: 'SET_CHILD_PASSWORD', childId: child, newPassword: seal(passwords[2]!, dh) }
  await device.act(device.parent(parent, changed))
  const chosen = { type: 'CHILD_CHANGE_PASSWORD', password: seal(passwords[3]!, dh) }
  await device.act(device.child(acting(child, passwords[2]!), chosen))
  await device.act(device.child(acting(child, passwords[3]!), { type: 'CHILD_SIGN_IN' }))
  const { data } = (await device.pullAll()).users
  const told = data.find(({ id }) => id === child)
  assert.equal([told.password, told.secondPasswordSalt], [passwords[3]!.hash, passwords[3]!.secondSalt])
})

test('what is sealed for another key or with anything else is refused, uses its number up, and asks for a full sync', async () => {
  const { device, target, parent } = await scene()
  const { dh } = await device.pullWith(new HouseholdMirror(8).status())
  const foreign = (await target.pullWith(new HouseholdMirror(8).status())).dh
  const password = newPassword()
  const good = seal(password, dh)
  const [text, key, version] = good.secondHash.split('.') as [string, string, string]
  const spoilt = Buffer.from(text, 'base64')
  spoilt[spoilt.length - 1]! ^= 1
  const offCurve = Buffer.from(key, 'base64')
  offCurve[offCurve.length - 1]! ^= 1
  const wrong: Record<string, string> = {
    'plain text': password.secondHash,
    nothing: '',
    'no version': `${text}.${key}`,
    'a part too many': `${good.secondHash}.${version}`,
    'an unknown version': `${text}.${key}.00000000`,
    'no bytes': `.${key}.${version}`,
    'no key': `${text}..${version}`,
    'half a key': `${text}.${key.slice(0, 60)}.${version}`,
    'a point beside the curve': `${text}.${offCurve.toString('base64')}.${version}`,
    'another tag': `${spoilt.toString('base64')}.${key}.${version}`,
    'the key of another device': seal(password, foreign).secondHash,
    'the key of another device under its own version': seal(password, { ...foreign, v: dh.v }).secondHash,
    'another curve': seal(password, dh, { curve: 'secp384r1' }).secondHash,
    'a curve of the same length': seal(password, dh, { curve: 'secp256k1' }).secondHash,
    'another hash': seal(password, dh, { about: `ParentPassword:${newPassword().hash}:${password.secondSalt}` }).secondHash,
    'no second hash in it': seal(password, dh, { text: 'secret' }).secondHash
  }
  for (const [what, secondHash] of Object.entries(wrong)) {
    const userId = newId()
    const action = device.parent(parent, newUser(userId, { ...good, secondHash }))
    assert.is(await device.push(action), true, what)
    assert.is(await device.push({ ...action, encodedAction: JSON.stringify(newUser(userId, good)) }), true, `${what}: the number`)
    assert.not.ok(
      (await device.pullAll()).users.data.some(({ id }) => id === userId),
      what
    )
  }
  await device.act(device.parent(parent, newUser(newId(), good)))
})

test.run()
