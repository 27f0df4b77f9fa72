import { createCipheriv, createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import { newId, newPassword, removalProof, type Password } from '../../../../util/timelimit-client.ts'
import type { ActionCase } from './action-case.ts'

const users = (): string[] => ['users']
const sha512 = (text: string): Buffer => createHash('sha512').update(text).digest()

/** The members of a change of a parent's password: the new second hash is sent under a key that is made of the old one. */
function passwordChange(userId: string, old: string, next: Password): Record<string, string> {
  const [iv, salt] = ['11'.repeat(16), '22'.repeat(16)]
  const cipher = createCipheriv('aes-128-ctr', sha512(old + salt).subarray(0, 16), Buffer.from(iv, 'hex'))
  const secondHashEncrypted = iv + salt + cipher.update(next.secondHash, 'utf8', 'hex') + cipher.final('hex')
  const { hash, secondSalt } = next
  const integrity = sha512(old + userId + hash + secondSalt + secondHashEncrypted).toString('hex')
  return { userId, hash, secondSalt, secondHashEncrypted, integrity }
}

const badPasswords = (name: string): Record<string, Record<string, unknown>> => ({
  'a hash of another kind': { [name]: { ...newPassword(), hash: 'secret' } },
  'a second hash of another kind': { [name]: { ...newPassword(), secondHash: 'secret' } },
  'a salt of another kind': { [name]: { ...newPassword(), secondSalt: 'salt' } },
  'a password that is encrypted, for which the hub has no key': { [name]: { ...newPassword(), encrypted: true } },
  'a password without salt': { [name]: { hash: newPassword().hash, secondHash: newPassword().secondHash } },
  'a password with a member too many': { [name]: { ...newPassword(), plain: 'secret' } }
})

export const USER_CASES: readonly ActionCase[] = [
  {
    type: 'ADD_USER',
    when: 'of a child',
    by: 'parent',
    prepare: async () => ({ userId: newId() }),
    body: ({ userId }) => ({ userId, name: 'Kim', userType: 'child', timeZone: 'Europe/Berlin' }),
    effect: (after, { userId }) => {
      const { llc, pbd, ...user } = after.user(userId)
      assert.equal([llc, pbd ?? 0], [undefined, 0])
      assert.equal(user, {
        id: userId,
        name: 'Kim',
        password: '',
        secondPasswordSalt: '',
        type: 'child',
        timeZone: 'Europe/Berlin',
        disableLimitsUntil: 0,
        mail: '',
        currentDevice: '',
        categoryForNotAssignedApps: '',
        relaxPrimaryDevice: false,
        mailNotificationFlags: 0,
        blockedTimes: '',
        flags: 0
      })
    },
    versions: users,
    notify: 1,
    refused: (_, { parent }) => ({ 'a used id': { userId: parent.id }, 'another type of user': { userType: 'guest' } })
  },
  {
    type: 'ADD_USER',
    when: 'of a parent',
    by: 'parent',
    prepare: async () => ({ userId: newId(), password: newPassword() }),
    body: ({ userId, password }) => ({
      userId,
      name: 'Alex',
      userType: 'parent',
      timeZone: 'Europe/Berlin',
      password: { ...password, encrypted: false }
    }),
    optional: ['password'],
    effect: (after, { userId, password }) => {
      const user = after.user(userId)
      assert.equal([user.type, user.password, user.secondPasswordSalt], ['parent', password.hash, password.secondSalt])
      assert.not.ok(JSON.stringify(user).includes(password.secondHash))
    },
    versions: users,
    notify: 1,
    refused: () => badPasswords('password')
  },
  {
    type: 'CHANGE_PARENT_PASSWORD',
    by: 'parent',
    prepare: async scene => ({ user: await scene.addUser('parent'), next: newPassword() }),
    actor: ({ user }) => user,
    body: ({ user, next }) => passwordChange(user.id, user.secondHash, next),
    effect: async (after, { user, next }, { device }) => {
      assert.equal([after.user(user.id).password, after.user(user.id).secondPasswordSalt], [next.hash, next.secondSalt])
      const rename = { type: 'UPDATE_DEVICE_NAME', deviceId: device.id, name: 'parent device' }
      assert.is(await device.push(device.parent(user, rename)), true, 'the old hash proves nothing')
      await device.act(device.parent({ id: user.id, secondHash: next.secondHash }, rename))
    },
    versions: users,
    notify: 2,
    refused: ({ user, next }, { child }) => ({
      'an integrity of another hash': passwordChange(user.id, newPassword().secondHash, next),
      'an integrity too short': { integrity: 'ab' },
      'a child': passwordChange(child.id, child.secondHash, next)
    })
  },
  {
    type: 'REMOVE_USER',
    when: 'of a child',
    by: 'parent',
    prepare: async scene => {
      const { id } = await scene.addUser('child')
      const categoryId = await scene.addCategory(id)
      await scene.act({ type: 'SET_DEVICE_USER', deviceId: scene.target.id, userId: id })
      return { userId: id, categoryId }
    },
    body: ({ userId }) => ({ userId }),
    effect: (after, { userId, categoryId }, { target }) => {
      assert.equal(
        [after.user(userId), after.base(categoryId), after.device(target.id).currentUserId],
        [undefined, undefined, '']
      )
    },
    versions: ({ categoryId }) => [
      'users',
      'devices',
      ...['base', 'apps', 'rules', 'usedTime', 'tasks'].map(part => `${part}:${categoryId}`)
    ],
    notify: 2,
    refused: (_, { parent }) => ({
      'an unknown user': { userId: newId() },
      oneself: { userId: parent.id, authentication: removalProof(parent) }
    })
  },
  {
    type: 'REMOVE_USER',
    when: 'of a parent',
    by: 'parent',
    prepare: scene => scene.addUser('parent'),
    body: user => ({ userId: user.id, authentication: removalProof(user) }),
    effect: (after, user) => assert.is(after.user(user.id), undefined),
    versions: () => ['users', 'devices?'],
    notify: 2,
    refused: (_, { parent }) => ({ 'the proof of another': { authentication: removalProof(parent) } })
  },
  {
    type: 'RENAME_CHILD',
    by: 'parent',
    prepare: scene => scene.addUser('child'),
    body: ({ id }) => ({ childId: id, newName: 'Robin' }),
    effect: (after, { id }) => assert.is(after.user(id).name, 'Robin'),
    versions: users,
    notify: 1,
    refused: () => ({ 'an unknown child': { childId: newId() } })
  },
  {
    type: 'SET_CATEGORY_FOR_UNASSIGNED_APPS',
    by: 'parent',
    prepare: async scene => {
      const [{ id }, other] = [await scene.addUser('child'), await scene.addCategory()]
      return { childId: id, other, categoryId: await scene.addCategory(id) }
    },
    body: ({ childId, categoryId }) => ({ childId, categoryId }),
    effect: (after, { childId, categoryId }) => assert.is(after.user(childId).categoryForNotAssignedApps, categoryId),
    versions: users,
    notify: 2,
    refused: ({ other }) => ({
      'an unknown child': { childId: newId() },
      'an unknown category': { categoryId: newId() },
      'the category of another child': { categoryId: other }
    })
  },
  {
    type: 'SET_CHILD_PASSWORD',
    by: 'parent',
    prepare: async scene => ({ id: (await scene.addUser('child')).id, password: newPassword() }),
    body: ({ id, password }) => ({ childId: id, newPassword: password }),
    effect: async (after, { id, password }, { target }) => {
      assert.equal([after.user(id).password, after.user(id).secondPasswordSalt], [password.hash, password.secondSalt])
      await target.act(target.child({ id, secondHash: password.secondHash }, { type: 'CHILD_SIGN_IN' }))
    },
    versions: users,
    notify: 2,
    refused: (_, { parent }) => ({
      ...badPasswords('newPassword'),
      'a parent': { childId: parent.id },
      'an unknown child': { childId: newId() }
    })
  },
  {
    type: 'SET_RELAX_PRIMARY_DEVICE',
    by: 'parent',
    prepare: scene => scene.addUser('child'),
    body: ({ id }) => ({ userId: id, relax: true }),
    effect: (after, { id }) => assert.is(after.user(id).relaxPrimaryDevice, true),
    versions: users,
    notify: 2
  },
  {
    type: 'SET_USER_DISABLE_LIMITS_UNTIL',
    by: 'parent',
    prepare: scene => scene.addUser('child'),
    body: ({ id }) => ({ childId: id, time: 1_800_000_000_000 }),
    effect: (after, { id }) => assert.is(after.user(id).disableLimitsUntil, 1_800_000_000_000),
    versions: users,
    notify: 2,
    refused: () => ({ 'an unknown child': { childId: newId() } })
  },
  {
    type: 'SET_USER_TIMEZONE',
    by: 'parent',
    prepare: scene => scene.addUser('child'),
    body: ({ id }) => ({ userId: id, timezone: 'America/Lima' }),
    effect: (after, { id }) => assert.is(after.user(id).timeZone, 'America/Lima'),
    versions: users,
    notify: 2,
    refused: () => ({ 'an unknown user': { userId: newId() } })
  },
  {
    type: 'UPDATE_PARENT_NOTIFICATION_FLAGS',
    by: 'parent',
    prepare: scene => scene.addUser('parent'),
    body: ({ id }) => ({ parentId: id, flags: 1, set: true }),
    effect: (after, { id }) => assert.is(after.user(id).mailNotificationFlags, 1),
    versions: users,
    notify: 1,
    refused: (_, { child }) => ({
      'an unknown parent': { parentId: newId() },
      'a child': { parentId: child.id },
      'flags that are none': { flags: 1_024 }
    })
  },
  {
    type: 'UPDATE_USER_FLAGS',
    by: 'parent',
    prepare: scene => scene.addUser('child'),
    body: ({ id }) => ({ userId: id, modified: 3, values: 2 }),
    effect: (after, { id }) => assert.is(after.user(id).flags, 2),
    versions: users,
    notify: 1,
    refused: () => ({
      'an unknown user': { userId: newId() },
      'flags that are none': { modified: 4, values: 4 },
      'values beside what is modified': { modified: 1, values: 2 }
    })
  },
  {
    type: 'UPDATE_USER_LIMIT_LOGIN_CATEGORY',
    by: 'parent',
    prepare: async scene => ({ user: await scene.addUser('parent'), categoryId: await scene.addCategory() }),
    body: ({ user, categoryId }) => ({ userId: user.id, categoryId }),
    optional: ['categoryId'],
    effect: (after, { user, categoryId }) => assert.is(after.user(user.id).llc, categoryId),
    versions: users,
    notify: 2,
    refused: () => ({ 'an unknown user': { userId: newId() }, 'an unknown category': { categoryId: newId() } })
  },
  {
    type: 'UPDATE_USER_LIMIT_LOGIN_PRE_BLOCK_DURATION',
    by: 'parent',
    prepare: async scene => {
      const { id } = await scene.addUser('parent')
      await scene.act({ type: 'UPDATE_USER_LIMIT_LOGIN_CATEGORY', userId: id, categoryId: await scene.addCategory() })
      return { id }
    },
    body: ({ id }) => ({ userId: id, preBlockDuration: 60_000 }),
    effect: (after, { id }) => assert.is(after.user(id).pbd, 60_000),
    versions: users,
    notify: 2,
    refused: () => ({ 'an unknown user': { userId: newId() } })
  },
  {
    type: 'CHILD_CHANGE_PASSWORD',
    by: 'child',
    sender: 'target',
    prepare: async scene => ({ user: await scene.addUser('child', true), next: newPassword() }),
    actor: ({ user }) => user,
    body: ({ next }) => ({ password: next }),
    effect: async (after, { user, next }, { target }) => {
      assert.equal([after.user(user.id).password, after.user(user.id).secondPasswordSalt], [next.hash, next.secondSalt])
      assert.is(await target.push(target.child(user, { type: 'CHILD_SIGN_IN' })), true, 'the old hash proves nothing')
      await target.act(target.child({ id: user.id, secondHash: next.secondHash }, { type: 'CHILD_SIGN_IN' }))
    },
    versions: users,
    notify: 2,
    refused: () => badPasswords('password')
  },
  {
    type: 'CHILD_SIGN_IN',
    by: 'child',
    sender: 'target',
    prepare: scene => scene.addUser('child', true),
    actor: user => user,
    body: () => ({}),
    effect: (after, user, { target }) => assert.is(after.device(target.id).currentUserId, user.id),
    versions: () => ['devices', 'users?'],
    notify: 1
  }
]
