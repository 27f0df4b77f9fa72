import { bool, oneOf, opt, str } from '../../../../protocol/index.ts'
import type { FamilyChange } from '../family-change.ts'
import { flags, id, idOrNone, whole } from '../forms.ts'
import { NETWORK_TIMES, type Device } from '../records.ts'
import { refuse } from '../refuse.ts'
import { row, type Row, type Rows } from '../row.ts'

const enable = { deviceId: id, enable: bool }

/** A member of a device that a parent switches on and off. */
const switched = (member: keyof Device, text: string, tellTarget: Row['tellTarget'] = 2): Row =>
  row({
    fields: enable,
    versions: ['devices'],
    tell: 1,
    tellTarget,
    text,
    effect: (family, { deviceId, enable }) => family.setDevice(deviceId, { [member]: enable })
  })

/** What parents do about devices. */
export const PARENT_DEVICES: Rows = {
  SET_CONSIDER_REBOOT_MANIPULATION: switched('rebootIsManipulation', 'whether a reboot is told as a manipulation'),
  UPDATE_ENABLE_ACTIVITY_LEVEL_BLOCKING: switched('activityLevelBlocking', 'whether parts of apps have limits of their own'),
  SET_SEND_DEVICE_CONNECTED: switched('showDeviceConnected', 'whether others see that it is connected', 0),
  SET_DEVICE_DEFAULT_USER: row({
    fields: { deviceId: id, defaultUserId: idOrNone },
    versions: ['devices'],
    tell: 1,
    tellTarget: 2,
    text: 'who uses it when nobody says so; "" for nobody',
    effect(family, { deviceId, defaultUserId }) {
      if (defaultUserId !== '') family.user(defaultUserId)
      family.setDevice(deviceId, { defUser: defaultUserId })
    }
  }),
  SET_DEVICE_DEFAULT_USER_TIMEOUT: row({
    fields: { deviceId: id, timeout: whole(0) },
    versions: ['devices'],
    tell: 1,
    tellTarget: 2,
    text: 'after so many milliseconds out of use it is the default user who uses it; 0 for never',
    effect: (family, { deviceId, timeout }) => family.setDevice(deviceId, { defUserTimeout: timeout })
  }),
  SET_DEVICE_USER: row({
    fields: { deviceId: id, userId: idOrNone },
    versions: ['devices', 'users'],
    tell: 1,
    tellTarget: 2,
    text: 'who uses it now; "" for nobody. It is the primary device of nobody else, and asks for the password',
    effect(family, { deviceId, userId }) {
      if (userId !== '') family.user(userId)
      signIn(family, deviceId, userId)
    }
  }),
  SET_KEEP_SIGNED_IN: row({
    fields: { deviceId: id, keepSignedIn: bool },
    versions: ['devices'],
    tell: 1,
    tellTarget: 2,
    text: 'whether it stops asking for the password of the parent who uses it; only that parent can make it',
    effect(family, { deviceId, keepSignedIn }, by) {
      if (keepSignedIn && family.device(deviceId).device.currentUserId !== by.user)
        refuse('forbidden', 'only the parent who uses the device can stay signed in')
      family.setDevice(deviceId, { isUserKeptSignedIn: keepSignedIn })
    }
  }),
  UPDATE_DEVICE_NAME: row({
    fields: { deviceId: id, name: str(256, 1) },
    versions: ['devices'],
    tell: 1,
    text: 'another name',
    effect: (family, { deviceId, name }) => family.setDevice(deviceId, { name })
  }),
  UPDATE_NETWORK_TIME_VERIFICATION: row({
    fields: { deviceId: id, mode: oneOf(...NETWORK_TIMES) },
    versions: ['devices'],
    tell: 1,
    tellTarget: 1,
    text: 'whether it compares its clock with one of the network',
    effect: (family, { deviceId, mode }) => family.setDevice(deviceId, { networkTime: mode })
  }),
  IGNORE_MANIPULATION: row({
    fields: {
      deviceId: id,
      admin: bool,
      adminA: bool,
      downgrade: bool,
      notification: bool,
      usageStats: bool,
      hadManipulation: bool,
      reboot: opt(bool),
      overlay: opt(bool),
      accessibilityService: opt(bool),
      ignoreHadManipulationFlags: opt(flags()),
      ignoreManipulationFlags: opt(flags())
    },
    versions: ['devices'],
    tell: 1,
    tellTarget: 2,
    text: 'how the device is counts as how it should be, in what is named',
    effect(family, { deviceId, ...ignored }) {
      const { device } = family.device(deviceId)
      const { ignoreHadManipulationFlags: had = 0, ignoreManipulationFlags: now = 0 } = ignored
      family.setDevice(deviceId, {
        ...(ignored.admin && { hProtectionLevel: device.cProtectionLevel }),
        ...(ignored.adminA && { tDisablingAdmin: false }),
        ...(ignored.downgrade && { hAppVersion: device.cAppVersion }),
        ...(ignored.notification && { hNotificationAccess: device.cNotificationAccess }),
        ...(ignored.usageStats && { hUsageStats: device.cUsageStats }),
        ...(ignored.overlay && { hOverlay: device.cOverlay }),
        ...(ignored.accessibilityService && { wasAsEnabled: device.asEnabled }),
        ...(ignored.reboot && { reboot: false }),
        ...(ignored.hadManipulation && { hadManipulation: false }),
        hadManipulationFlags: device.hadManipulationFlags & ~had,
        mFlags: device.mFlags & ~now
      })
    }
  })
}

/** A device has another user: it asks for the password again, and is not the primary device of the one before. */
export function signIn(family: FamilyChange, device: string, user: string): void {
  family.setDevice(device, { currentUserId: user, isUserKeptSignedIn: false })
  for (const [id, { user: known }] of family.all('user'))
    if (id !== user && known.currentDevice === device) family.setUser(id, { currentDevice: '' })
}
