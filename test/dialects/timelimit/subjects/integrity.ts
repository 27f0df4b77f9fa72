import { execFileSync, spawnSync } from 'node:child_process'
import * as assert from 'uvu/assert'
import { suite } from '../../../util/suite.ts'
import {
  hmacIntegrity,
  newId,
  newPassword,
  removalProof,
  sha512Integrity,
  type ActionBody,
  type Actor,
  type SentAction
} from '../../../util/timelimit-client.ts'
import { newFamily, type Family } from '../../../util/timelimit-hub.ts'
import { household } from './household.ts'

const test = suite('dialects/timelimit/integrity')

const { scene } = household(test)

/**
 * Known values, computed by hand:
 *
 *     HASH='$2a$12$abcdefghijklmnopqrstuuK6Dlb4Rr5F5HkFf9WqJ1sY3lQw0oZbC'
 *     ACTION='{"type":"RENAME_CHILD","childId":"abc123","newName":"Zoë"}'
 *     printf %s "7dev001${HASH}${ACTION}" | openssl dgst -sha512 -r
 *     printf %s "9007199254740991dev001${HASH}${ACTION}" | openssl dgst -sha512 -r
 *     { printf '\0\0\0\0\0\0\0\7\0\0\0\6dev001\0\0\0\073'; printf %s "$ACTION"; } | openssl dgst -sha256 -mac HMAC -macopt "key:$HASH" -binary | base64
 *     printf %s "usr001${HASH}remove" | openssl dgst -sha512 -r | cut -c1-16
 */
const HASH = '$2a$12$abcdefghijklmnopqrstuuK6Dlb4Rr5F5HkFf9WqJ1sY3lQw0oZbC'
const ACTION = '{"type":"RENAME_CHILD","childId":"abc123","newName":"Zoë"}'
const KNOWN = {
  sha512:
    'da6293f6a027f1f240809c7e39a607a03f1aa99e3c3cbd97415fd143ac030eec31b968cbf6f012c39faf133a68f39da52316edd0d86c079c7f3989eb3cc63f4c',
  highest:
    '6947096fdcd784f93c25d090830a7f39ce8bc32bc1075346f6289dbb0244091f34ee4c6bbc10ff5cb9740e7a2058ae925d68d27f2276a86b45588984a4ad7c5c',
  hmac: 'password:K4Fgy35YM25rdtcMO6Nc+oVUHf5ROGmvVsPnD0oAgNo=',
  removal: '274b24ca74f64209'
}

const rename = (id: string, name: string): ActionBody => ({ type: 'UPDATE_DEVICE_NAME', deviceId: id, name })
const nameOf = async ({ device }: Pick<Family, 'device'>): Promise<string> =>
  (await device.pullAll()).device(device.id).name as string

test('the integrity that these tests send is the one that openssl computes', () => {
  assert.is(sha512Integrity(7, 'dev001', HASH, ACTION), KNOWN.sha512)
  assert.is(sha512Integrity(Number.MAX_SAFE_INTEGER, 'dev001', HASH, ACTION), KNOWN.highest)
  assert.is(hmacIntegrity(7, 'dev001', HASH, ACTION), KNOWN.hmac)
  assert.is(removalProof({ id: 'usr001', secondHash: HASH }), KNOWN.removal)
})

test('an integrity that openssl computes is taken', async () => {
  if (spawnSync('openssl', ['version']).status !== 0) {
    assert.not.ok(process.env.CI === 'true', 'openssl is missing')
    console.log('SKIPPED: no openssl')
    return
  }
  const { device, parent, family } = await scene()
  const digest = (input: string | Buffer, ...args: string[]): Buffer =>
    execFileSync('openssl', ['dgst', ...args, '-binary'], { input })
  const send = async (name: string, sign: (number: number, encoded: string) => string): Promise<void> => {
    const sent = device.parent(parent, rename(device.id, name))
    await device.act({ ...sent, integrity: sign(sent.sequenceNumber, sent.encodedAction) })
    assert.is(await nameOf(family), name)
  }
  await send('by sha512, née à Öland', (number, encoded) =>
    digest(`${number}${device.id}${parent.secondHash}${encoded}`, '-sha512').toString('hex')
  )
  await send('by hmac, née à Öland', (number, encoded) => {
    const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
    const head = hex(number, 16) + hex(6, 8) + Buffer.from(device.id).toString('hex') + hex(Buffer.byteLength(encoded), 8)
    const signed = Buffer.concat([Buffer.from(head, 'hex'), Buffer.from(encoded)])
    return `password:${digest(signed, '-sha256', '-mac', 'HMAC', '-macopt', `key:${parent.secondHash}`).toString('base64')}`
  })
})

test('a parent proves itself by sha512 and by HMAC, over exactly the number, the device, the hash and the text that it sends', async () => {
  const { device, parent, child, family } = await scene()
  for (const proof of ['sha512', 'password'] as const) {
    await device.act(device.parent(parent, rename(device.id, `proven by ${proof}`), proof))
    const signed = (): SentAction => device.parent(parent, rename(device.id, 'stolen'), proof)
    const sign = proof === 'sha512' ? sha512Integrity : hmacIntegrity
    const { secondHash } = parent
    const wrong: Record<string, (sent: SentAction) => Partial<SentAction>> = {
      nothing: () => ({ integrity: '' }),
      'another number': ({ sequenceNumber, encodedAction }) => ({
        integrity: sign(sequenceNumber + 1, device.id, secondHash, encodedAction)
      }),
      'another device': ({ sequenceNumber, encodedAction }) => ({
        integrity: sign(sequenceNumber, newId(), secondHash, encodedAction)
      }),
      'another hash': ({ sequenceNumber, encodedAction }) => ({
        integrity: sign(sequenceNumber, device.id, newPassword().secondHash, encodedAction)
      }),
      'the first hash': ({ sequenceNumber, encodedAction }) => ({
        integrity: sign(sequenceNumber, device.id, family.parent.password.hash, encodedAction)
      }),
      'another text': ({ encodedAction }) => ({ encodedAction: `${encodedAction} ` }),
      'another user': () => ({ userId: newId() }),
      'a child for a parent': () => ({ userId: child.id }),
      'no user': () => ({ userId: '' }),
      'the first half': ({ integrity }) => ({ integrity: integrity.slice(0, integrity.length / 2) }),
      'one mark too many': ({ integrity }) => ({ integrity: `${integrity}0` }),
      'a long one': () => ({ integrity: 'f'.repeat(100_000) })
    }
    if (proof === 'sha512') wrong['capital letters'] = ({ integrity }) => ({ integrity: integrity.toUpperCase() })
    for (const [what, change] of Object.entries(wrong)) {
      const sent = signed()
      assert.is(await device.push({ ...sent, ...change(sent) }), true, `${proof} of ${what}`)
      assert.is(await device.push(sent), true, `the number of ${what} is used up`)
    }
    assert.is(await nameOf(family), `proven by ${proof}`)
  }
})

test('under a number that an HMAC cannot sign the word for one is no proof of a parent', async () => {
  const { target, parent, device, family } = await scene()
  const before = await nameOf(family)
  for (const integrity of ['password:', 'password', '']) {
    const sent = target.parent(parent, rename(device.id, 'stolen'))
    assert.is(await target.push({ ...sent, sequenceNumber: sent.sequenceNumber + 0.5, integrity }), true, integrity)
    target.nextNumber += 1
  }
  assert.is(await nameOf(family), before)
})

test('`device` proves a parent on a device that keeps it signed in, and nobody else', async () => {
  const { device, parent, child, addUser, act, target, family } = await scene()
  const by = (actor: Actor): Promise<boolean> => device.push(device.parent(actor, rename(device.id, 'by the device'), 'device'))
  const other = await addUser('parent')
  await act({ type: 'SET_DEVICE_USER', deviceId: device.id, userId: parent.id })
  assert.is(await by(parent), true, 'not kept signed in')
  await act({ type: 'SET_KEEP_SIGNED_IN', deviceId: device.id, keepSignedIn: true })
  assert.is(await by(other), true, 'another parent')
  assert.is(await by({ ...parent, id: '' }), true, 'nobody')
  assert.is(await target.push(target.parent(parent, rename(device.id, 'by the device'), 'device')), true, 'another device')
  assert.is(await by(parent), false)
  assert.is(await nameOf(family), 'by the device')
  await act({ type: 'SET_DEVICE_USER', deviceId: device.id, userId: child.id })
  assert.is(await by(child), true, 'a child')
  assert.is(await by(parent), true, 'the parent that was')
})

test('a child proves itself by sha512 alone, and without a password not at all', async () => {
  const { target, child, addUser, parent } = await scene()
  const body = { type: 'CHILD_SIGN_IN' }
  await target.act(target.child(child, body))
  const signed = target.child(child, body)
  const { sequenceNumber, encodedAction } = signed
  const byHmac = hmacIntegrity(sequenceNumber, target.id, child.secondHash, encodedAction)
  assert.is(await target.push({ ...signed, integrity: byHmac }), true, 'by HMAC')
  for (const integrity of ['', 'device', 'childDevice'])
    assert.is(await target.push({ ...target.child(child, body), integrity }), true, integrity)
  assert.is(await target.push(target.child(parent, body)), true, 'a parent')
  const bare = await addUser('child', false)
  for (const secondHash of ['', bare.secondHash])
    assert.is(await target.push(target.child({ id: bare.id, secondHash }, body)), true, 'without a password')
})

test('the integrity of an action of the app is not looked at', async () => {
  const { device } = await scene()
  for (const integrity of ['', 'junk', 'device', 'f'.repeat(128)])
    await device.act({ ...device.appLogic({ type: 'FORCE_SYNC' }), integrity })
})

test('an integrity by a security key is refused', async () => {
  const { device, parent, family } = await scene()
  const name = await nameOf(family)
  for (const integrity of ['u2f:', 'u2f:a.b.c.d.e', 'u2f:a.AAAA.b.AAAA.AAAA', `u2f:${'.'.repeat(1_000)}`])
    assert.is(await device.push({ ...device.parent(parent, rename(device.id, 'by a key')), integrity }), true, integrity)
  assert.is(await nameOf(family), name)
})

test('`childDevice` lets a child that may do so tighten its own limits, and nothing else', async () => {
  const { target, child, act, addUser, addCategory, addRule } = await scene()
  const [own, sibling] = [await addCategory(), await addCategory((await addUser('child')).id)]
  const loose = await addRule(own)
  const asChild = (body: ActionBody): Promise<boolean> => target.push(target.parent(child, body, 'childDevice'))
  const block = (categoryId: string): ActionBody => ({
    type: 'UPDATE_CATEGORY_TEMPORARILY_BLOCKED',
    categoryId,
    blocked: true,
    endTime: 1_800_000_000_000
  })
  await act({ type: 'SET_DEVICE_USER', deviceId: target.id, userId: child.id })
  assert.is(await asChild(block(own)), true, 'not allowed to')
  await act({ type: 'UPDATE_USER_FLAGS', userId: child.id, modified: 2, values: 2 })

  const added = newId()
  const tightening: Record<string, ActionBody> = {
    'a block': block(own),
    'a longer block': { ...block(own), endTime: 1_900_000_000_000 },
    'a category': { type: 'CREATE_CATEGORY', childId: child.id, categoryId: added, title: 'own' },
    'a category within': { type: 'SET_PARENT_CATEGORY', categoryId: added, parentCategory: own },
    'a rule': {
      type: 'CREATE_TIMELIMIT_RULE',
      rule: { ruleId: newId(), categoryId: own, time: 1_000, days: 127, extraTime: false }
    },
    'a shorter time': { type: 'UPDATE_TIMELIMIT_RULE', ruleId: loose, time: 1_800_000, days: 127, extraTime: false },
    'blocked times': { type: 'UPDATE_CATEGORY_BLOCKED_TIMES', categoryId: own, times: '0,60' },
    'no notifications': { type: 'UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS', categoryId: own, blocked: true }
  }
  for (const [what, body] of Object.entries(tightening)) assert.is(await asChild(body), false, what)
  const state = await target.pullAll()
  assert.equal([state.base(own).tempBlockTime, state.base(added).parentCategoryId], [1_900_000_000_000, own])
  assert.is(state.rules(own).length, 2)

  const loosening: Record<string, ActionBody> = {
    'a shorter block': block(own),
    'no block': { type: 'UPDATE_CATEGORY_TEMPORARILY_BLOCKED', categoryId: own, blocked: false },
    'a block of a sibling': block(sibling),
    'a category of a sibling': { type: 'CREATE_CATEGORY', childId: sibling, categoryId: newId(), title: 'own' },
    'out of the category': { type: 'SET_PARENT_CATEGORY', categoryId: added, parentCategory: await addCategory() },
    'a rule of a sibling': {
      type: 'CREATE_TIMELIMIT_RULE',
      rule: { ruleId: newId(), categoryId: sibling, time: 0, days: 127, extraTime: false }
    },
    'a longer time': { type: 'UPDATE_TIMELIMIT_RULE', ruleId: loose, time: 3_600_000, days: 127, extraTime: false },
    'fewer days': { type: 'UPDATE_TIMELIMIT_RULE', ruleId: loose, time: 1_800_000, days: 1, extraTime: false },
    'fewer blocked times': { type: 'UPDATE_CATEGORY_BLOCKED_TIMES', categoryId: own, times: '' },
    notifications: { type: 'UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS', categoryId: own, blocked: false },
    'apps of no category': { type: 'ADD_CATEGORY_APPS', categoryId: own, packageNames: ['org.example'] },
    'a rule less': { type: 'DELETE_TIMELIMIT_RULE', ruleId: loose },
    'more time': { type: 'INCREMENT_CATEGORY_EXTRATIME', categoryId: own, addedExtraTime: 1_000 },
    'another title': { type: 'UPDATE_CATEGORY_TITLE', categoryId: own, newTitle: 'mine' },
    'a category less': { type: 'DELETE_CATEGORY', categoryId: added },
    'the flags of itself': { type: 'UPDATE_USER_FLAGS', userId: child.id, modified: 2, values: 2 }
  }
  const before = await target.pullAll()
  for (const [what, body] of Object.entries(loosening)) assert.is(await asChild(body), true, what)
  assert.equal((await target.pullAll()).state(), before.state())
})

test('one family has no say in another', async () => {
  const { device, parent, family, child } = await scene()
  const other = await newFamily((await scene()).family.hub)
  const strange = { ...other.parent }
  for (const proof of ['sha512', 'password', 'device'] as const)
    assert.is(await device.push(device.parent(strange, rename(device.id, 'taken'), proof)), true, proof)
  for (const body of [rename(device.id, 'taken'), { type: 'RENAME_CHILD', childId: child.id, newName: 'taken' }])
    assert.is(await other.device.push(other.device.parent(other.parent, body)), true, body.type)
  assert.not.ok(JSON.stringify((await family.device.pullAll()).state()).includes('taken'))
  assert.is((await other.device.pullAll()).user(parent.id), undefined)
})

test.run()
