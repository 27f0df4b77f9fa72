import { map, opt, str } from '../../../../protocol/index.ts'
import type { FamilyChange } from '../family-change.ts'
import { id, idOrNone, passwordHash, passwordSalt, whole } from '../forms.ts'
import type { Device } from '../records.ts'
import { mustHaveRoom, refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'
import { newUser } from './user.ts'

/** Of a family. */
export const MAX_DEVICES = 256

const device = map({ deviceId: id, name: str(256, 1), model: str(256) })

/** A device of which nothing is known but what it says it is. */
const newDevice = (given: Pick<Device, 'deviceId' | 'name' | 'model' | 'addedAt'>): Device => ({
  currentUserId: '',
  networkTime: 'if possible',
  cProtectionLevel: 'none',
  hProtectionLevel: 'none',
  cUsageStats: 'not granted',
  hUsageStats: 'not granted',
  cNotificationAccess: 'not granted',
  hNotificationAccess: 'not granted',
  cAppVersion: 0,
  hAppVersion: 0,
  tDisablingAdmin: false,
  reboot: false,
  hadManipulation: false,
  hadManipulationFlags: 0,
  reportUninstall: false,
  isUserKeptSignedIn: false,
  showDeviceConnected: false,
  defUser: '',
  defUserTimeout: 0,
  rebootIsManipulation: false,
  cOverlay: 'not granted',
  hOverlay: 'not granted',
  asEnabled: false,
  wasAsEnabled: false,
  activityLevelBlocking: false,
  qOrLater: false,
  mFlags: 0,
  pLevel: 0,
  ...given
})

/** What the hub does in a family when one of the other calls asks for it. */
export const HUB_ACTIONS: Rows = {
  CREATE_FAMILY: row({
    fields: {
      parent: map({ userId: id, name: str(256, 1), mail: str(256), timeZone: str(64) }),
      password: map({ hash: passwordHash, secondHash: passwordHash, secondSalt: passwordSalt }),
      device: opt(device)
    },
    hidden: ['password'],
    versions: ['users', 'devices'],
    tell: 0,
    text: 'the account is a family, with its first parent, and a device that the parent uses',
    effect(family, { parent: { userId, mail, ...about }, password, device }) {
      if (family.get('family', 'family') !== undefined) refuse('already-exists', 'the account is a family already')
      const version = family.versionAfter()
      family.put('family', 'family', {
        versions: { users: version, devices: version, u2f: version },
        fullVersion: 1,
        createdAtMs: family.timeMs,
        lastKeyRequest: 0
      })
      const user = { ...newUser({ id: userId, type: 'parent', ...about }), mail }
      family.put('user', userId, {
        user: { ...user, password: password.hash, secondPasswordSalt: password.secondSalt },
        secondHash: password.secondHash
      })
      if (device === undefined) return
      addDevice(family, device)
      family.setDevice(device.deviceId, { currentUserId: userId })
    }
  }),
  ADD_DEVICE: row({
    fields: { device, userId: opt(id) },
    versions: ['devices'],
    tell: 1,
    text: 'a new device, and who uses it',
    effect(family, { device, userId }) {
      addDevice(family, device)
      if (userId === undefined) return
      family.user(userId)
      family.setDevice(device.deviceId, { currentUserId: userId })
    }
  }),
  REMOVE_DEVICE: row({
    fields: { deviceId: id },
    versions: ['devices', 'users'],
    tell: 1,
    tellTarget: 2,
    text: 'the device is gone with all that is about it; it is nobody’s primary one',
    effect: removeDevice
  }),
  REPORT_REMOVED: row({
    fields: { deviceId: id },
    versions: ['devices'],
    tell: 1,
    text: 'the device says that it was reset; it stays in the list',
    effect: (family, { deviceId }) => family.setDevice(deviceId, { reportUninstall: true })
  }),
  SET_PRIMARY_DEVICE: row({
    fields: { userId: id, deviceId: idOrNone },
    versions: ['users'],
    tell: 2,
    text: 'the primary device of a child; "" for none',
    effect(family, { userId, deviceId }) {
      family.userOf('child', userId)
      if (deviceId !== '') family.device(deviceId)
      family.setUser(userId, { currentDevice: deviceId })
    }
  }),
  ACK_KEY_RESPONSES: row({
    fields: { deviceId: id, upTo: whole(0) },
    tell: 0,
    text: 'the device has its key responses up to this number',
    effect(family, { deviceId, upTo }) {
      const responses = family.get('keyResponses', deviceId)?.responses ?? []
      const left = responses.filter(({ srvSeq }) => srvSeq > upTo)
      if (left.length === 0) family.remove('keyResponses', deviceId)
      else if (left.length < responses.length) family.put('keyResponses', deviceId, { responses: left })
    }
  })
}

function addDevice(family: FamilyChange, given: { deviceId: string; name: string; model: string }): void {
  if (family.get('family', 'family') === undefined) refuse('not-found', 'the account is no family')
  if (family.get('device', given.deviceId) !== undefined) refuse('already-exists', `there is a device ${given.deviceId} already`)
  mustHaveRoom(family.all('device').length, MAX_DEVICES, 'devices')
  const device = newDevice({ ...given, addedAt: family.timeMs })
  family.put('device', given.deviceId, { device, appsB: '', appsD: '', lastKeyResponse: 0 })
  family.renew('devices')
}

function removeDevice(family: FamilyChange, { deviceId }: { deviceId: string }): void {
  family.device(deviceId)
  for (const [id, { user }] of family.all('user')) if (user.currentDevice === deviceId) family.setUser(id, { currentDevice: '' })
  for (const [id, { senId }] of family.all('keyRequest')) if (senId === deviceId) family.remove('keyRequest', id)
  for (const [id, { pings }] of family.all('pings')) {
    const left = pings.filter(ping => ping.deviceId !== deviceId)
    if (left.length < pings.length) family.put('pings', id, { pings: left })
  }
  for (const part of ['appsBase', 'appsDiff', 'keyResponses', 'pings', 'device'] as const) family.remove(part, deviceId)
  family.renew('devices')
}
