import { bool, list, map, oneOf, opt, str, tuple, type InferFields } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { base64, flags, whole } from '../forms.ts'
import { NEW_PERMISSIONS, PROTECTION_LEVELS, RUNTIME_PERMISSIONS, type Device } from '../records.ts'
import { refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'
import { signIn } from './devices.ts'

const MAX_LIST_BYTES = 524_288
const MAX_APPS = 10_000

const text = str(1_024)
const app = map({
  packageName: text,
  title: text,
  isLaunchable: bool,
  recommendation: oneOf('none', 'whitelist', 'blacklist')
})
const activity = map({ p: text, c: text, t: text })
const activityName = tuple<[string, string]>({ app: text, activity: text })

const status = {
  protectionLevel: opt(oneOf(...PROTECTION_LEVELS)),
  usageStats: opt(oneOf(...RUNTIME_PERMISSIONS)),
  notificationAccess: opt(oneOf(...NEW_PERMISSIONS)),
  overlayPermission: opt(oneOf(...RUNTIME_PERMISSIONS)),
  accessibilityServiceEnabled: opt(bool),
  appVersion: opt(whole(0)),
  didReboot: opt(bool),
  isQOrLaterNow: opt(bool),
  addedManipulationFlags: opt(flags()),
  platformType: opt(str(8, 1)),
  platformLevel: opt(whole(0, 128))
} as const

const LEGACY = 'nothing: the lists of apps that are not encrypted are no more'

/** What devices say of themselves. */
export const DEVICE_REPORTS: Rows = {
  ADD_INSTALLED_APPS: row({ fields: { apps: list(app, MAX_APPS) }, forgets: true, tell: 0, text: LEGACY, effect() {} }),
  REMOVE_INSTALLED_APPS: row({
    fields: { packageNames: list(text, MAX_APPS) },
    forgets: true,
    tell: 0,
    text: LEGACY,
    effect() {}
  }),
  UPDATE_APP_ACTIVITIES: row({
    fields: { removed: list(activityName, MAX_APPS), updatedOrAdded: list(activity, MAX_APPS) },
    forgets: true,
    tell: 0,
    text: LEGACY,
    effect() {}
  }),
  FORCE_SYNC: row({ fields: {}, tell: 2, text: 'nothing but that all others sync', effect() {} }),
  SIGN_OUT_AT_DEVICE: row({
    fields: {},
    versions: ['devices', 'users'],
    tell: 1,
    text: 'the default user uses the device, which must have one',
    effect(family, _, { device: id }) {
      const { currentUserId, defUser } = family.device(id).device
      if (defUser === '') refuse('not-found', 'the device has no default user')
      if (currentUserId !== defUser) signIn(family, id, defUser)
    }
  }),
  TRIED_DISABLING_DEVICE_ADMIN: row({
    fields: {},
    versions: ['devices'],
    tell: 1,
    text: 'somebody tried to take its rights',
    effect: (family, _, { device }) => family.setDevice(device, { tDisablingAdmin: true })
  }),
  UPDATE_DEVICE_STATUS: row({
    fields: status,
    versions: ['devices'],
    tell: 1,
    text: 'how the device is now. Less than it ever was is a manipulation, which stays told until it is ignored',
    effect: updateStatus
  }),
  UPDATE_INSTALLED_APPS: row({
    fields: { b: opt(base64(0, MAX_LIST_BYTES)), d: opt(base64(0, MAX_LIST_BYTES)), w: bool },
    hidden: ['b', 'd'],
    versions: ['appsB', 'appsD'],
    tell: 1,
    text: 'its encrypted list of apps: all of them, and how they differ from that; each only where it is given',
    effect(family, { b, d }, { device: id }) {
      const { device, lastKeyResponse, appsB, appsD } = family.device(id)
      const versions = {
        appsB: b === undefined ? appsB : family.versionAfter(appsB),
        appsD: d === undefined ? appsD : family.versionAfter(appsD)
      }
      if (b !== undefined) family.put('appsBase', id, { data: Buffer.from(b, 'base64') })
      if (d !== undefined) family.put('appsDiff', id, { data: Buffer.from(d, 'base64') })
      family.put('device', id, { device, lastKeyResponse, ...versions })
    }
  }),
  UPLOAD_DEVICE_PUBLIC_KEY: row({
    fields: { key: base64(32, 32) },
    versions: ['devices'],
    tell: 2,
    text: 'the public key of the device, which it has for good: another one has no effect',
    effect(family, { key }, { device: id }) {
      if (family.device(id).device.pk === undefined) family.setDevice(id, { pk: key })
    }
  })
}

/** Flags of manipulations that were, by what was less than before. */
const WAS = { ProtectionLevel: 1, UsageStats: 2, NotificationAccess: 4, AppVersion: 8, Overlay: 16, accessibility: 32 } as const

function updateStatus(family: FamilyChange, given: InferFields<typeof status>, { device: id }: Acting): void {
  const { device } = family.device(id)
  const changed: Record<string, unknown> = {}
  let manipulations = 0
  const level = (
    name: Exclude<keyof typeof WAS, 'accessibility'>,
    now: string | number | undefined,
    order?: readonly string[]
  ): void => {
    if (now === undefined) return
    const rank = (value: string | number): number => (typeof value === 'number' ? value : order!.indexOf(value))
    const [before, highest] = [device[`c${name}`], device[`h${name}`]]
    changed[`c${name}`] = now
    if (rank(now) > rank(highest)) changed[`h${name}`] = now
    if (now !== before && rank(now) < rank(highest)) manipulations |= WAS[name]
  }
  level('ProtectionLevel', given.protectionLevel, PROTECTION_LEVELS)
  level('UsageStats', given.usageStats, RUNTIME_PERMISSIONS)
  level('NotificationAccess', given.notificationAccess, NEW_PERMISSIONS)
  level('Overlay', given.overlayPermission, RUNTIME_PERMISSIONS)
  level('AppVersion', given.appVersion)
  const { accessibilityServiceEnabled: isEnabled } = given
  if (isEnabled === false && device.asEnabled && device.wasAsEnabled) manipulations |= WAS.accessibility
  family.setDevice(id, {
    ...(changed as Partial<Device>),
    ...(isEnabled !== undefined && { asEnabled: isEnabled, wasAsEnabled: device.wasAsEnabled || isEnabled }),
    ...(given.didReboot === true && { reboot: true }),
    ...(given.isQOrLaterNow === true && { qOrLater: true }),
    ...(given.platformType !== undefined && { pType: given.platformType }),
    ...(given.platformLevel !== undefined && { pLevel: given.platformLevel }),
    hadManipulation: device.hadManipulation || manipulations !== 0,
    hadManipulationFlags: device.hadManipulationFlags | manipulations,
    mFlags: device.mFlags | (given.addedManipulationFlags ?? 0)
  })
}
