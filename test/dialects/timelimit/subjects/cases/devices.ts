import * as assert from 'uvu/assert'
import { newId } from '../../../../util/timelimit-client.ts'
import type { ActionCase, Scene } from './action-case.ts'

const devices = (): string[] => ['devices']
const unknownDevice = (): Record<string, Record<string, unknown>> => ({ 'an unknown device': { deviceId: newId() } })

/** An action of a parent that sets one thing of the target device, shown by one member of it. */
const setting = (type: string, member: string, value: unknown, shown: string, more: Partial<ActionCase> = {}): ActionCase => ({
  type,
  by: 'parent',
  body: (_, { target }) => ({ deviceId: target.id, [member]: value }),
  effect: (after, _, { target }) => assert.equal(after.device(target.id)[shown], value),
  versions: devices,
  notify: 1,
  tellsTarget: 2,
  refused: unknownDevice,
  ...more
})

const status = (body: Record<string, unknown>): Record<string, unknown> & { type: string } => ({
  type: 'UPDATE_DEVICE_STATUS',
  ...body
})

/** Has the target report all that a child could loosen as strict, and then as loose. */
async function manipulate({ target }: Scene): Promise<void> {
  const strict = {
    protectionLevel: 'device owner',
    usageStats: 'granted',
    notificationAccess: 'granted',
    overlayPermission: 'granted',
    accessibilityServiceEnabled: true,
    appVersion: 20
  }
  const loose = {
    protectionLevel: 'none',
    usageStats: 'not granted',
    notificationAccess: 'not granted',
    overlayPermission: 'not granted',
    accessibilityServiceEnabled: false,
    appVersion: 10,
    didReboot: true
  }
  await target.act(
    target.appLogic(status(strict)),
    target.appLogic(status(loose)),
    target.appLogic({ type: 'TRIED_DISABLING_DEVICE_ADMIN' })
  )
}

export const DEVICE_CASES: readonly ActionCase[] = [
  setting('SET_CONSIDER_REBOOT_MANIPULATION', 'enable', true, 'rebootIsManipulation'),
  setting('SET_DEVICE_DEFAULT_USER_TIMEOUT', 'timeout', 30_000, 'defUserTimeout'),
  setting('SET_SEND_DEVICE_CONNECTED', 'enable', true, 'showDeviceConnected', { tellsTarget: undefined }),
  setting('UPDATE_DEVICE_NAME', 'name', 'tablet', 'name', {
    tellsTarget: undefined,
    refused: () => ({ ...unknownDevice(), 'an empty name': { name: '' } })
  }),
  setting('UPDATE_ENABLE_ACTIVITY_LEVEL_BLOCKING', 'enable', true, 'activityLevelBlocking'),
  setting('UPDATE_NETWORK_TIME_VERIFICATION', 'mode', 'enabled', 'networkTime', {
    tellsTarget: 1,
    refused: () => ({ ...unknownDevice(), 'another mode': { mode: 'sometimes' } })
  }),
  {
    type: 'SET_DEVICE_DEFAULT_USER',
    by: 'parent',
    body: (_, { target, child }) => ({ deviceId: target.id, defaultUserId: child.id }),
    effect: (after, _, { target, child }) => assert.is(after.device(target.id).defUser, child.id),
    versions: devices,
    notify: 1,
    tellsTarget: 2,
    refused: () => ({ ...unknownDevice(), 'an unknown user': { defaultUserId: newId() } })
  },
  {
    type: 'SET_DEVICE_USER',
    by: 'parent',
    body: (_, { target, child }) => ({ deviceId: target.id, userId: child.id }),
    effect: (after, _, { target, child }) => {
      const { currentUserId, isUserKeptSignedIn } = after.device(target.id)
      assert.equal([currentUserId, isUserKeptSignedIn], [child.id, false])
    },
    versions: devices,
    notify: 1,
    tellsTarget: 2,
    refused: () => ({ ...unknownDevice(), 'an unknown user': { userId: newId() } })
  },
  {
    type: 'SET_KEEP_SIGNED_IN',
    by: 'parent',
    prepare: async ({ act, target, parent }) => act({ type: 'SET_DEVICE_USER', deviceId: target.id, userId: parent.id }),
    body: (_, { target }) => ({ deviceId: target.id, keepSignedIn: true }),
    effect: (after, _, { target }) => assert.is(after.device(target.id).isUserKeptSignedIn, true),
    versions: devices,
    notify: 1,
    tellsTarget: 2,
    refused: (_, { watcher }) => ({ ...unknownDevice(), 'a device of nobody': { deviceId: watcher.id } })
  },
  {
    type: 'IGNORE_MANIPULATION',
    by: 'parent',
    prepare: manipulate,
    body: (_, { target }) => ({
      deviceId: target.id,
      admin: true,
      adminA: true,
      downgrade: true,
      notification: true,
      usageStats: true,
      hadManipulation: true,
      reboot: true,
      overlay: true,
      accessibilityService: true,
      ignoreHadManipulationFlags: 0
    }),
    optional: ['reboot', 'overlay', 'accessibilityService', 'ignoreHadManipulationFlags', 'ignoreManipulationFlags'],
    effect: (after, _, { target }) => {
      const device = after.device(target.id)
      for (const name of ['ProtectionLevel', 'UsageStats', 'NotificationAccess', 'Overlay', 'AppVersion'])
        assert.is(device[`h${name}`], device[`c${name}`], name)
      assert.equal(
        [device.cProtectionLevel, device.cAppVersion, device.asEnabled, device.wasAsEnabled],
        ['none', 10, false, false]
      )
      assert.equal([device.tDisablingAdmin, device.reboot, device.hadManipulation], [false, false, false])
    },
    versions: devices,
    notify: 1,
    tellsTarget: 2,
    refused: unknownDevice
  },
  {
    type: 'UPDATE_DEVICE_STATUS',
    when: 'of a device that tightens',
    by: 'appLogic',
    sender: 'target',
    body: () => ({
      protectionLevel: 'device owner',
      usageStats: 'granted',
      notificationAccess: 'granted',
      overlayPermission: 'granted',
      accessibilityServiceEnabled: true,
      appVersion: 30,
      didReboot: true,
      isQOrLaterNow: true,
      addedManipulationFlags: 1,
      platformType: 'android',
      platformLevel: 5
    }),
    optional: [
      'protectionLevel',
      'usageStats',
      'notificationAccess',
      'overlayPermission',
      'accessibilityServiceEnabled',
      'appVersion',
      'didReboot',
      'isQOrLaterNow',
      'addedManipulationFlags',
      'platformType',
      'platformLevel'
    ],
    effect: (after, _, { target }) => {
      const device = after.device(target.id)
      for (const kind of ['c', 'h']) {
        assert.is(device[`${kind}ProtectionLevel`], 'device owner')
        for (const name of ['UsageStats', 'NotificationAccess', 'Overlay']) assert.is(device[`${kind}${name}`], 'granted', name)
        assert.is(device[`${kind}AppVersion`], 30)
      }
      const { asEnabled, wasAsEnabled, reboot, qOrLater, mFlags, pType, pLevel } = device
      assert.equal([asEnabled, wasAsEnabled, reboot, qOrLater, mFlags, pType, pLevel], [true, true, true, true, 1, 'android', 5])
    },
    versions: devices,
    notify: undefined,
    refused: () => ({
      'another level': { protectionLevel: 'some' },
      'another permission': { usageStats: 'some' },
      'no platform': { platformType: '' },
      'a long platform': { platformType: 'a-system-x' },
      'a high platform level': { platformLevel: 129 }
    })
  },
  {
    type: 'UPDATE_DEVICE_STATUS',
    when: 'of a device that loosens',
    by: 'appLogic',
    sender: 'target',
    prepare: manipulate,
    body: () => ({ protectionLevel: 'simple device admin', appVersion: 15 }),
    optional: ['protectionLevel', 'appVersion'],
    effect: (after, _, { target }) => {
      const { cProtectionLevel, hProtectionLevel, cUsageStats, hUsageStats, cAppVersion, hAppVersion, hadManipulation } =
        after.device(target.id)
      assert.equal([cProtectionLevel, hProtectionLevel], ['simple device admin', 'device owner'])
      assert.equal([cUsageStats, hUsageStats, hadManipulation], ['not granted', 'granted', true])
      assert.is(cAppVersion, 15)
      assert.ok(hAppVersion > cAppVersion)
    },
    versions: devices,
    notify: undefined
  },
  {
    type: 'TRIED_DISABLING_DEVICE_ADMIN',
    by: 'appLogic',
    sender: 'target',
    body: () => ({}),
    effect: (after, _, { target }) => assert.is(after.device(target.id).tDisablingAdmin, true),
    versions: devices,
    notify: undefined
  },
  {
    type: 'SIGN_OUT_AT_DEVICE',
    by: 'appLogic',
    sender: 'target',
    prepare: async ({ act, target, child, parent }) => {
      await act({ type: 'SET_DEVICE_DEFAULT_USER', deviceId: target.id, defaultUserId: child.id })
      await act({ type: 'SET_DEVICE_USER', deviceId: target.id, userId: parent.id })
    },
    body: () => ({}),
    effect: (after, _, { target, child }) => assert.is(after.device(target.id).currentUserId, child.id),
    versions: devices,
    notify: 1
  },
  { type: 'FORCE_SYNC', by: 'appLogic', body: () => ({}), effect: () => undefined, versions: () => [], notify: 2 },
  {
    type: 'ADD_INSTALLED_APPS',
    by: 'appLogic',
    body: () => ({ apps: [{ packageName: 'org.example', title: 'Example', isLaunchable: true, recommendation: 'none' }] }),
    effect: () => undefined,
    versions: () => [],
    notify: 0,
    refused: () => ({
      'an app without title': { apps: [{ packageName: 'org.example', isLaunchable: true, recommendation: 'none' }] },
      'another recommendation': {
        apps: [{ packageName: 'org.example', title: 'Example', isLaunchable: true, recommendation: 'fine' }]
      }
    })
  },
  {
    type: 'REMOVE_INSTALLED_APPS',
    by: 'appLogic',
    body: () => ({ packageNames: ['org.example'] }),
    effect: () => undefined,
    versions: () => [],
    notify: 0,
    refused: () => ({ 'a name that is none': { packageNames: [5] } })
  },
  {
    type: 'UPDATE_APP_ACTIVITIES',
    by: 'appLogic',
    body: () => ({ removed: [['org.example', 'Old']], updatedOrAdded: [{ p: 'org.example', c: 'New', t: 'New one' }] }),
    effect: () => undefined,
    versions: () => [],
    notify: 0,
    refused: () => ({
      'half a pair': { removed: [['org.example']] },
      'an activity without title': { updatedOrAdded: [{ p: 'org.example', c: 'New' }] }
    })
  },
  {
    type: 'UPDATE_INSTALLED_APPS',
    by: 'appLogic',
    sender: 'target',
    body: () => ({ b: Buffer.from('base').toString('base64'), d: Buffer.from('diff').toString('base64'), w: false }),
    optional: ['b', 'd'],
    effect: (after, _, { target }) => {
      const { appsBase, appsDiff } = after.apps.get(target.id)!
      assert.equal(
        [appsBase.data, appsDiff.data],
        ['base', 'diff'].map(text => Buffer.from(text).toString('base64'))
      )
    },
    versions: (_, { target }) => [`appsB:${target.id}`, `appsD:${target.id}`],
    notify: 1,
    refused: () => ({ 'over 512 KiB': { b: Buffer.alloc(524_289).toString('base64') } })
  },
  {
    type: 'UPLOAD_DEVICE_PUBLIC_KEY',
    by: 'appLogic',
    sender: 'target',
    body: () => ({ key: Buffer.alloc(32, 7).toString('base64') }),
    effect: (after, _, { target }) => assert.is(after.device(target.id).pk, Buffer.alloc(32, 7).toString('base64')),
    versions: devices,
    notify: 2,
    refused: () => ({ 'a key of 31 bytes': { key: Buffer.alloc(31).toString('base64') } })
  }
]
