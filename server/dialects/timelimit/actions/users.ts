import { bool, oneOf, opt, str } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { flags, hex, id, idOrNone, passwordHash, passwordSalt, whole } from '../forms.ts'
import type { User } from '../records.ts'
import { mustHaveRoom, refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'
import { replacedBits } from './bits.ts'
import { removeCategories } from './categories.ts'
import { signIn } from './devices.ts'
import { isRemovalProof, newPassword, passwordOf, secondHashUnder } from './passwords.ts'
import { newUser, withLogin } from './user.ts'

const MAX_USERS = 128
/** Flags of users: networks may be hidden, a child may limit itself. */
const USER_FLAGS = 3
const MAIL_FLAGS = 255
const DAY_MS = 86_400_000

const name = str(256, 1)
const timeZone = str(64)

/** What parents do about users. */
export const PARENT_USERS: Rows = {
  ADD_USER: row({
    fields: { name, userType: oneOf('parent', 'child'), userId: id, password: opt(newPassword), timeZone },
    hidden: ['password'],
    versions: ['users'],
    tell: 1,
    text: 'a new user; a parent needs a password',
    effect(family, { name, userType: type, userId, password, timeZone }) {
      if (family.get('user', userId) !== undefined) refuse('already-exists', `there is a user ${userId} already`)
      if (type === 'parent' && password === undefined) refuse('bad-action', 'a parent needs a password')
      mustHaveRoom(family.all('user').length, MAX_USERS, 'users')
      const given = password && passwordOf(password)
      const user = { ...newUser({ id: userId, name, type, timeZone }), ...given?.user }
      family.put('user', userId, { user, secondHash: given?.secondHash ?? '' })
      family.renew('users')
    }
  }),
  CHANGE_PARENT_PASSWORD: row({
    fields: {
      userId: id,
      hash: passwordHash,
      secondSalt: passwordSalt,
      secondHashEncrypted: hex(72, 1_024),
      integrity: hex(128, 128)
    },
    hidden: ['hash', 'secondSalt', 'secondHashEncrypted', 'integrity'],
    versions: ['users'],
    tell: 2,
    text: 'a new password, sealed with the old one',
    effect(family, change) {
      const { secondHash } = family.userOf('parent', change.userId)
      const password = { password: change.hash, secondPasswordSalt: change.secondSalt }
      family.setUser(change.userId, password, secondHashUnder(secondHash, change))
    }
  }),
  REMOVE_USER: row({
    fields: { userId: id, authentication: opt(str(64)) },
    hidden: ['authentication'],
    versions: ['users', 'devices'],
    tell: 2,
    text: 'the user is gone, with a child all that is about it. A parent goes by its own proof, and neither by itself nor as the last with a mail address',
    effect: removeUser
  }),
  RENAME_CHILD: row({
    fields: { childId: id, newName: name },
    versions: ['users'],
    tell: 1,
    text: 'another name',
    effect: (family, { childId, newName }) => setChild(family, childId, { name: newName })
  }),
  SET_CATEGORY_FOR_UNASSIGNED_APPS: row({
    fields: { childId: id, categoryId: idOrNone },
    versions: ['users'],
    tell: 2,
    text: 'apps of no category count to this one of the child; "" for none',
    effect(family, { childId, categoryId }) {
      if (categoryId !== '' && family.category(categoryId).base.childId !== childId)
        refuse('not-found', 'the category is of another child')
      setChild(family, childId, { categoryForNotAssignedApps: categoryId })
    }
  }),
  SET_CHILD_PASSWORD: row({
    fields: { childId: id, newPassword },
    hidden: ['newPassword'],
    versions: ['users'],
    tell: 2,
    text: 'another password of a child',
    effect: (family, { childId, newPassword }) => setChildPassword(family, childId, newPassword)
  }),
  SET_RELAX_PRIMARY_DEVICE: row({
    fields: { userId: id, relax: bool },
    versions: ['users'],
    tell: 2,
    text: 'whether a child may use other devices while its primary one is off',
    effect: (family, { userId, relax }) => setChild(family, userId, { relaxPrimaryDevice: relax })
  }),
  SET_USER_DISABLE_LIMITS_UNTIL: row({
    fields: { childId: id, time: whole(0) },
    versions: ['users'],
    tell: 2,
    text: 'no limits until then',
    effect: (family, { childId, time }) => setChild(family, childId, { disableLimitsUntil: time })
  }),
  SET_USER_TIMEZONE: row({
    fields: { userId: id, timezone: timeZone },
    versions: ['users'],
    tell: 2,
    text: 'where the days of the user begin',
    effect: (family, { userId, timezone }) => family.setUser(userId, { timeZone: timezone })
  }),
  UPDATE_PARENT_NOTIFICATION_FLAGS: row({
    fields: { parentId: id, flags: flags(MAIL_FLAGS), set: bool },
    versions: ['users'],
    tell: 1,
    text: 'which mails a parent gets: these, or not these',
    effect(family, { parentId, flags, set }) {
      const { mailNotificationFlags: before } = family.userOf('parent', parentId).user
      family.setUser(parentId, { mailNotificationFlags: set ? before | flags : before & ~flags })
    }
  }),
  UPDATE_USER_FLAGS: row({
    fields: { userId: id, modified: flags(USER_FLAGS), values: flags(USER_FLAGS) },
    versions: ['users'],
    tell: 1,
    text: 'the bits that are `modified` become those of `values`; 2: a child may limit itself',
    effect: (family, { userId, modified, values }) =>
      family.setUser(userId, { flags: replacedBits(family.user(userId).user.flags, modified, values) })
  }),
  UPDATE_USER_LIMIT_LOGIN_CATEGORY: row({
    fields: { userId: id, categoryId: opt(id) },
    versions: ['users'],
    tell: 2,
    text: 'a parent signs in only while this category is not blocked; left out, always',
    effect(family, { userId, categoryId }) {
      const { user, secondHash } = family.userOf('parent', userId)
      if (categoryId !== undefined) family.category(categoryId)
      family.put('user', userId, { user: withLogin(user, categoryId), secondHash })
      family.renew('users')
    }
  }),
  UPDATE_USER_LIMIT_LOGIN_PRE_BLOCK_DURATION: row({
    fields: { userId: id, preBlockDuration: whole(0, DAY_MS) },
    versions: ['users'],
    tell: 2,
    text: 'how long before the category is blocked signing in ends; there must be one',
    effect(family, { userId, preBlockDuration }) {
      if (family.user(userId).user.llc === undefined) refuse('not-found', 'no category limits signing in')
      family.setUser(userId, { pbd: preBlockDuration })
    }
  })
}

/** What children do themselves. */
export const CHILD_ACTIONS: Rows = {
  CHILD_CHANGE_PASSWORD: row({
    fields: { password: newPassword },
    hidden: ['password'],
    versions: ['users'],
    tell: 2,
    text: 'another password of its own',
    effect: (family, { password }, { user }) => setChildPassword(family, user, password)
  }),
  CHILD_SIGN_IN: row({
    fields: {},
    versions: ['devices', 'users'],
    tell: 1,
    text: 'the child uses the device from now on, which is its primary one no more',
    effect(family, _, { user, device }) {
      signIn(family, device, user)
      if (family.user(user).user.currentDevice === device) family.setUser(user, { currentDevice: '' })
    }
  })
}

function setChild(family: FamilyChange, child: string, changed: Partial<User>): void {
  family.userOf('child', child)
  family.setUser(child, changed)
}

function setChildPassword(family: FamilyChange, child: string, password: Parameters<typeof passwordOf>[0]): void {
  family.userOf('child', child)
  const { user, secondHash } = passwordOf(password)
  family.setUser(child, user, secondHash)
}

function removeUser(
  family: FamilyChange,
  { userId, authentication = '' }: { userId: string; authentication?: string },
  by: Acting
): void {
  const { user, secondHash } = family.user(userId)
  if (user.type === 'parent') {
    if (userId === by.user) refuse('forbidden', 'nobody removes oneself')
    if (!isRemovalProof(authentication, userId, secondHash))
      refuse('unauthenticated', 'the proof is of another parent or password')
    const hasMail = family.all('user').some(([id, other]) => id !== userId && other.user.mail !== '')
    if (user.mail !== '' && !hasMail) refuse('forbidden', 'the last parent with a mail address stays')
  }
  const categories = family.categoriesOf(userId).map(({ base }) => base.categoryId)
  removeCategories(family, categories)
  for (const [id, { u }] of family.all('u2f'))
    if (u === userId) {
      family.remove('u2f', id)
      family.renew('u2f')
    }
  for (const [id, { device }] of family.all('device')) {
    if (device.currentUserId === userId) family.setDevice(id, { currentUserId: '', isUserKeptSignedIn: false })
    if (device.defUser === userId) family.setDevice(id, { defUser: '' })
  }
  family.remove('user', userId)
  family.renew('users')
}
