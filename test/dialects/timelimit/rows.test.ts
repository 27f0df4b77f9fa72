import { createCipheriv, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import type { Plain } from '../../../protocol/index.ts'
import { fillTables } from '../../../protocol/spec.ts'
import { ACTION_TABLES } from '../../../server/dialects/timelimit/action-tables.ts'
import { ACTION_ROWS } from '../../../server/dialects/timelimit/actions/index.ts'
import { Origin } from '../../../server/core/origin.ts'
import { suite } from '../../util/suite.ts'
import { CHILD, FamilyScene, GAMES, PARENT, passwordOf, PHONE, sha512, TABLET, type Body, type Sent } from './family-scene.ts'

const test = suite('dialects/timelimit/rows')

type Members = Record<string, Plain>
const bytes = (count: number, value = 1): string => Buffer.alloc(count, value).toString('base64')
const [device, category, child] = [{ deviceId: TABLET }, { categoryId: GAMES }, { childId: CHILD }]
const rule = { time: 1_000, days: 127, extraTime: false }
const request = { dsn: 1, dataType: 1, tempKey: bytes(32), signature: bytes(64) }
const task = { taskId: 'task01', taskTitle: 'tidy up', extraTimeDuration: 5, ...category }
const securityKey = { keyHandle: bytes(64), publicKey: bytes(65) }
const apps = { ...category, packageNames: ['org.secret'] }

function passwordChange(): Members {
  const [old, next] = [passwordOf(PARENT).secondHash, passwordOf('next')]
  const [start, salt] = ['0a'.repeat(16), '0b'.repeat(16)]
  const key = createHash('sha512').update(old + salt).digest().subarray(0, 16) // prettier-ignore
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.from(start, 'hex'))
  const secondHashEncrypted = start + salt + cipher.update(next.secondHash, 'utf8', 'hex') + cipher.final('hex')
  const { hash, secondSalt } = next
  const integrity = sha512(old + PARENT + hash + secondSalt + secondHashEncrypted)
  return { userId: PARENT, hash, secondSalt, secondHashEncrypted, integrity }
}

/** What has to be there before. */
const PREPARED: Record<string, Body[]> = {
  DELETE_CATEGORY: [{ type: 'SET_CATEGORY_FOR_UNASSIGNED_APPS', ...child, ...category }],
  UPDATE_TIMELIMIT_RULE: [{ type: 'CREATE_TIMELIMIT_RULE', rule: { ruleId: 'rule01', ...category, ...rule } }],
  DELETE_TIMELIMIT_RULE: [{ type: 'CREATE_TIMELIMIT_RULE', rule: { ruleId: 'rule01', ...category, ...rule } }],
  DELETE_CHILD_TASK: [{ type: 'UPDATE_CHILD_TASK', isNew: true, ...task }],
  MARK_TASK_PENDING: [{ type: 'UPDATE_CHILD_TASK', isNew: true, ...task }],
  REVIEW_CHILD_TASK: [
    { type: 'UPDATE_CHILD_TASK', isNew: true, ...task },
    { type: 'MARK_TASK_PENDING', taskId: 'task01' }
  ],
  SIGN_OUT_AT_DEVICE: [{ type: 'SET_DEVICE_DEFAULT_USER', ...device, defaultUserId: PARENT }],
  REMOVE_PARENT_U2F: [{ type: 'ADD_PARENT_U2F', ...securityKey }],
  SET_PARENT_CATEGORY: [{ type: 'CREATE_CATEGORY', ...child, categoryId: 'outer1', title: 'outer' }],
  UPDATE_USER_LIMIT_LOGIN_PRE_BLOCK_DURATION: [{ type: 'UPDATE_USER_LIMIT_LOGIN_CATEGORY', userId: PARENT, ...category }],
  ADD_USED_TIME: [{ type: 'SET_CATEGORY_EXTRA_TIME', ...category, newExtraTime: 9 }],
  ADD_USED_TIME_V2: [{ type: 'SET_CATEGORY_EXTRA_TIME', ...category, newExtraTime: 9 }]
}

/** Each type's members, so that it is taken. */
const EXAMPLES: Record<string, () => Members> = {
  ADD_INSTALLED_APPS: () => ({ apps: [{ packageName: 'org.secret', title: 'S', isLaunchable: true, recommendation: 'none' }] }),
  ADD_USED_TIME: () => ({ ...category, day: 20_000, timeToAdd: 5, extraTimeToSubtract: 3 }),
  ADD_USED_TIME_V2: () => ({ d: 20_000, i: [{ ...category, tta: 5, etts: 3, as: [[0, 10]], sdl: [[0, 10, 5, 5]] }], t: 5 }),
  FINISH_KEY_REQUEST: () => ({ dsn: 1 }),
  FORCE_SYNC: () => ({}),
  REPLY_TO_KEY_REQUEST: () => ({ rsn: 1, tempKey: bytes(32), encryptedKey: bytes(9), signature: bytes(64) }),
  MARK_TASK_PENDING: () => ({ taskId: 'task01' }),
  PING: () => ({ deviceId: PHONE, event: 'ping', token: 'token1' }),
  UPDATE_INSTALLED_APPS: () => ({ b: bytes(9), d: bytes(10), w: false }),
  REMOVE_INSTALLED_APPS: () => ({ packageNames: ['org.secret'] }),
  SEND_KEY_REQUEST: () => request,
  SIGN_OUT_AT_DEVICE: () => ({}),
  TRIED_DISABLING_DEVICE_ADMIN: () => ({}),
  UPDATE_APP_ACTIVITIES: () => ({ removed: [['org.secret', 'A']], updatedOrAdded: [{ p: 'org.secret', c: 'B', t: 'T' }] }),
  UPDATE_DEVICE_STATUS: () => ({ protectionLevel: 'device owner' }),
  UPLOAD_DEVICE_PUBLIC_KEY: () => ({ key: bytes(32) }),
  ADD_CATEGORY_APPS: () => apps,
  ADD_CATEGORY_NETWORK_ID: () => ({ ...category, itemId: 'net001', hashedNetworkId: '0123abcd' }),
  ADD_PARENT_U2F: () => securityKey,
  ADD_USER: () => ({ name: 'Kim', userType: 'parent', userId: 'kim001', password: passwordOf('kim'), timeZone: '' }),
  CHANGE_PARENT_PASSWORD: passwordChange,
  CREATE_CATEGORY: () => ({ ...child, categoryId: 'music1', title: 'music' }),
  CREATE_TIMELIMIT_RULE: () => ({ rule: { ruleId: 'rule01', ...category, ...rule } }),
  DELETE_CATEGORY: () => category,
  DELETE_CHILD_TASK: () => ({ taskId: 'task01' }),
  DELETE_TIMELIMIT_RULE: () => ({ ruleId: 'rule01' }),
  IGNORE_MANIPULATION: () => ({
    ...device,
    ...Object.fromEntries(
      ['admin', 'adminA', 'downgrade', 'notification', 'usageStats', 'hadManipulation'].map(name => [name, true])
    )
  }),
  INCREMENT_CATEGORY_EXTRATIME: () => ({ ...category, addedExtraTime: 5 }),
  REMOVE_CATEGORY_APPS: () => apps,
  REMOVE_PARENT_U2F: () => securityKey,
  REMOVE_USER: () => ({ userId: CHILD }),
  RENAME_CHILD: () => ({ ...child, newName: 'Robin' }),
  RESET_CATEGORY_NETWORK_IDS: () => category,
  REVIEW_CHILD_TASK: () => ({ taskId: 'task01', ok: true, time: 5 }),
  SET_CATEGORY_EXTRA_TIME: () => ({ ...category, newExtraTime: 5 }),
  SET_CATEGORY_FOR_UNASSIGNED_APPS: () => ({ ...child, ...category }),
  SET_CHILD_PASSWORD: () => ({ ...child, newPassword: passwordOf('kim') }),
  SET_CONSIDER_REBOOT_MANIPULATION: () => ({ ...device, enable: true }),
  SET_DEVICE_DEFAULT_USER: () => ({ ...device, defaultUserId: CHILD }),
  SET_DEVICE_DEFAULT_USER_TIMEOUT: () => ({ ...device, timeout: 5 }),
  SET_DEVICE_USER: () => ({ ...device, userId: PARENT }),
  SET_KEEP_SIGNED_IN: () => ({ deviceId: PHONE, keepSignedIn: true }),
  SET_PARENT_CATEGORY: () => ({ ...category, parentCategory: 'outer1' }),
  SET_RELAX_PRIMARY_DEVICE: () => ({ userId: CHILD, relax: true }),
  SET_SEND_DEVICE_CONNECTED: () => ({ ...device, enable: true }),
  SET_USER_DISABLE_LIMITS_UNTIL: () => ({ ...child, time: 5 }),
  SET_USER_TIMEZONE: () => ({ userId: CHILD, timezone: 'America/Lima' }),
  UPDATE_CATEGORY_BATTERY_LIMIT: () => ({ ...category, chargeLimit: 5 }),
  UPDATE_CATEGORY_BLOCK_ALL_NOTIFICATIONS: () => ({ ...category, blocked: true }),
  UPDATE_CATEGORY_BLOCKED_TIMES: () => ({ ...category, times: '0,5' }),
  UPDATE_CATEGORY_DISABLE_LIMITS: () => ({ ...category, endTime: 5 }),
  UPDATE_CATEGORY_FLAGS: () => ({ ...category, modified: 1, values: 1 }),
  UPDATE_CATEGORY_SORTING: () => ({ categoryIds: [GAMES] }),
  UPDATE_CATEGORY_TEMPORARILY_BLOCKED: () => ({ ...category, blocked: true }),
  UPDATE_CATEGORY_TIME_WARNINGS: () => ({ ...category, enable: true, flags: 1 }),
  UPDATE_CATEGORY_TITLE: () => ({ ...category, newTitle: 'films' }),
  UPDATE_CHILD_TASK: () => ({ isNew: true, ...task }),
  UPDATE_DEVICE_NAME: () => ({ ...device, name: 'new' }),
  UPDATE_ENABLE_ACTIVITY_LEVEL_BLOCKING: () => ({ ...device, enable: true }),
  UPDATE_NETWORK_TIME_VERIFICATION: () => ({ ...device, mode: 'enabled' }),
  UPDATE_PARENT_NOTIFICATION_FLAGS: () => ({ parentId: PARENT, flags: 1, set: true }),
  UPDATE_TIMELIMIT_RULE: () => ({ ruleId: 'rule01', ...rule }),
  UPDATE_USER_FLAGS: () => ({ userId: CHILD, modified: 2, values: 2 }),
  UPDATE_USER_LIMIT_LOGIN_CATEGORY: () => ({ userId: PARENT, ...category }),
  UPDATE_USER_LIMIT_LOGIN_PRE_BLOCK_DURATION: () => ({ userId: PARENT, preBlockDuration: 5 }),
  CHILD_CHANGE_PASSWORD: () => ({ password: passwordOf('kim') }),
  CHILD_SIGN_IN: () => ({})
}

/** What a row says that it may renew, and its example does not. */
const UNTOUCHED: Record<string, string[]> = {
  CHILD_SIGN_IN: ['users'],
  SET_DEVICE_USER: ['users'],
  SIGN_OUT_AT_DEVICE: ['users'],
  UPDATE_TIMELIMIT_RULE: ['usedTime']
}
/** What is told beyond the row, by the example. */
const TOLD_MORE: Record<string, { others?: number; devices?: Record<string, number> }> = {
  PING: { devices: { [PHONE]: 2 } },
  REVIEW_CHILD_TASK: { others: 2 }
}
const SENDERS = { appLogic: TABLET, parent: PHONE, child: TABLET } as const
const USERS = { appLogic: '', parent: PARENT, child: CHILD } as const

const rows = (['appLogic', 'parent', 'child'] as const).flatMap(actor =>
  Object.entries(ACTION_ROWS[actor]).map(([type, row]) => ({ actor, type, row }))
)

async function prepared(type: string): Promise<FamilyScene> {
  const scene = await FamilyScene.open()
  for (const body of PREPARED[type] ?? []) await (body.type in ACTION_ROWS.appLogic ? scene.tablet(body) : scene.parent(body))
  scene.told.length = 0
  return scene
}

const signed = (scene: FamilyScene, actor: Sent['type'], body: Body): Sent =>
  scene.sign(actor, SENDERS[actor], USERS[actor], body)

/** The names of the parts of versions that differ. */
function renewed(before: Record<string, string>, after: Record<string, string>): string[] {
  const names = Object.keys(after).filter(name => after[name] !== before[name])
  return [...new Set(names.map(name => name.split(':')[0]!))].sort()
}

test('there is an example of each type', () => {
  assert.is(rows.length, 68)
  const types = rows.map(({ type }) => type).filter(type => type !== 'REPORT_U2F_LOGIN')
  assert.equal(Object.keys(EXAMPLES).sort(), types.sort())
})

test('each type renews just the versions that its row names, and tells whom it names', async () => {
  for (const { actor, type, row } of rows) {
    if (EXAMPLES[type] === undefined) continue
    const scene = await prepared(type)
    const before = scene.versions()
    assert.is(await scene.push(SENDERS[actor], signed(scene, actor, { type, ...EXAMPLES[type]() })), false, type)
    const expected = row.versions.filter(name => UNTOUCHED[type]?.includes(name) !== true)
    assert.equal(renewed(before, scene.versions()), [...expected].sort(), type)
    const devices =
      TOLD_MORE[type]?.devices ?? (row.tellTarget > 0 ? { [type === 'SET_KEEP_SIGNED_IN' ? PHONE : TABLET]: row.tellTarget } : {})
    const told = { device: SENDERS[actor], others: TOLD_MORE[type]?.others ?? row.tell, devices }
    assert.equal(scene.told, told.others > 0 || Object.keys(devices).length > 0 ? [told] : [], type)
  }
})

test('each type is refused with a member too many or too few, or of another type, and changes nothing then', async () => {
  for (const { actor, type, row } of rows) {
    const scene = await prepared(type)
    const [before, head] = [scene.versions(), scene.account.head]
    const example = EXAMPLES[type]?.() ?? {}
    const wrong: Members[] = [{ ...example, more: 1 }]
    for (const name of Object.keys(example)) {
      wrong.push({ ...example, [name]: null }, { ...example, [name]: typeof example[name] === 'string' ? 5 : 'five' })
      const { [name]: _, ...others } = example
      if (row.fields[name]!.optional !== true) wrong.push(others)
    }
    const actions = wrong.map(members => signed(scene, actor, { type, ...members }))
    assert.is(await scene.push(SENDERS[actor], ...actions), true, type)
    assert.equal([scene.versions(), scene.account.head, scene.told], [before, head, []], type)
  }
})

test('the README has the tables that the rows give', () => {
  const readme = readFileSync(new URL('../../../server/dialects/timelimit/README.md', import.meta.url), 'utf8')
  assert.is(fillTables(readme, ACTION_TABLES), readme, 'run: npm run spec')
})

test('a parent who would report a security key is refused', async () => {
  const scene = await FamilyScene.open()
  await scene.parentFails({ type: 'REPORT_U2F_LOGIN' })
})

test('what a row hides does not leave the hub by the log, and is there when the log is folded', async () => {
  for (const { actor, type, row } of rows) {
    const kept = row.forgets ? Object.keys(row.fields) : row.hidden
    if (kept.length === 0) continue
    const scene = await prepared(type)
    const heard: string[] = []
    scene.account.follow({
      device: 'reader',
      client: '',
      refusal: () => undefined,
      deliver: frame => void heard.push(Buffer.from(frame).toString('latin1')),
      end: () => undefined
    })
    const example = EXAMPLES[type]!()
    assert.is(await scene.push(SENDERS[actor], signed(scene, actor, { type, ...example })), false, type)
    assert.is(heard.length, 1, type)
    assert.match(heard[0]!, type)
    for (const name of kept)
      for (const [, secret] of JSON.stringify(example[name] ?? '').matchAll(/"([^"]{9,})"/g))
        assert.not.ok(heard[0]!.includes(secret!), `${type}: ${name}`)
  }
})

test('no secret of a new family leaves the hub by the log', async () => {
  const scene = await FamilyScene.open()
  const runs = await scene.core.store.read(scene.account.id, 0, 1_000_000)
  const log = runs.map(({ run }) => Buffer.from(run).toString('latin1')).join('')
  assert.match(log, 'CREATE_FAMILY')
  assert.not.match(log, '$2a$')
})

test('the hub makes one family of an account, and lets devices in and out', async () => {
  const scene = await FamilyScene.open()
  const refused = async (body: Body): Promise<void> => {
    const asked = { sequenceNumber: -1, userId: '', integrity: '', encodedAction: JSON.stringify(body) }
    const error = await scene.account
      .perform(new Origin(PHONE, '', 'operator'), 'household.act', 'hub', asked)
      .catch(error => error)
    assert.instance(error, Error, body.type)
  }
  await refused({ type: 'ADD_DEVICE', device: { deviceId: PHONE, name: 'again', model: '' } })
  await refused({ type: 'REMOVE_DEVICE', deviceId: 'nobody' })
  await scene.hubDoes({ type: 'SET_PRIMARY_DEVICE', userId: CHILD, deviceId: TABLET })
  await scene.tablet({ type: 'SEND_KEY_REQUEST', ...request })
  await scene.tablet({ type: 'PING', deviceId: PHONE, event: 'ping', token: 'token1' })
  await scene.hubDoes({ type: 'REPORT_REMOVED', deviceId: TABLET })
  assert.is(scene.device(TABLET).reportUninstall, true)
  const { users, devices } = scene.versions()
  await scene.hubDoes({ type: 'REMOVE_DEVICE', deviceId: TABLET })
  const { family } = scene
  assert.equal([family.all('device').length, family.all('keyRequest'), family.get('pings', PHONE)?.pings], [1, [], []])
  assert.is(scene.user(CHILD).currentDevice, '')
  assert.equal([scene.versions()['users'] === users, scene.versions()['devices'] === devices], [false, false])
  await scene.tabletFails({ type: 'FORCE_SYNC' })
})

test.run()
