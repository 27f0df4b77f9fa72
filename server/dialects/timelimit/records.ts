import type { HouseholdRecord } from '../../core/records.ts'

/*
 * What a family comes to. Members that go out as they are have the names that this API gives them; what only the hub knows stands beside them.
 * A version is 4 letters and digits, and another one after each change of what it is about.
 */

/** Of what there is a version. */
export type ListName = 'users' | 'devices' | 'u2f'
export type CategoryPart = 'base' | 'apps' | 'rules' | 'usedTime' | 'tasks'

export interface FamilyRecord extends HouseholdRecord {
  readonly versions: Readonly<Record<ListName, string>>
  /** 1: without a limit; a hub of one's own has nothing to sell. */
  readonly fullVersion: number
  readonly createdAtMs: number
  /** The newest key request's number; 0 before the first. */
  readonly lastKeyRequest: number
}

export interface User {
  readonly id: string
  readonly name: string
  /** The first hash; empty when a child has no password. */
  readonly password: string
  readonly secondPasswordSalt: string
  readonly type: 'parent' | 'child'
  readonly timeZone: string
  readonly disableLimitsUntil: number
  readonly mail: string
  /** The primary device of a child; empty when there is none. */
  readonly currentDevice: string
  readonly categoryForNotAssignedApps: string
  readonly relaxPrimaryDevice: boolean
  readonly mailNotificationFlags: number
  readonly blockedTimes: ''
  readonly flags: number
  /** The category whose limits count for signing in. */
  readonly llc?: string
  /** How long before that sign-in ends, in milliseconds. */
  readonly pbd?: number
}

export interface UserRecord extends HouseholdRecord {
  readonly user: User
  /** What actions are signed with; never leaves the hub. Empty without a password. */
  readonly secondHash: string
}

export const PROTECTION_LEVELS = ['none', 'simple device admin', 'password device admin', 'device owner'] as const
export const RUNTIME_PERMISSIONS = ['not granted', 'not required', 'granted'] as const
export const NEW_PERMISSIONS = ['not granted', 'not supported', 'granted'] as const
export const NETWORK_TIMES = ['disabled', 'if possible', 'enabled'] as const

export type ProtectionLevel = (typeof PROTECTION_LEVELS)[number]
export type RuntimePermission = (typeof RUNTIME_PERMISSIONS)[number]
export type NewPermission = (typeof NEW_PERMISSIONS)[number]

/** `c…` is how it is now, `h…` the most that it ever was. */
export interface Device {
  readonly deviceId: string
  readonly name: string
  readonly model: string
  readonly addedAt: number
  readonly currentUserId: string
  readonly networkTime: (typeof NETWORK_TIMES)[number]
  readonly cProtectionLevel: ProtectionLevel
  readonly hProtectionLevel: ProtectionLevel
  readonly cUsageStats: RuntimePermission
  readonly hUsageStats: RuntimePermission
  readonly cNotificationAccess: NewPermission
  readonly hNotificationAccess: NewPermission
  readonly cAppVersion: number
  readonly hAppVersion: number
  readonly tDisablingAdmin: boolean
  readonly reboot: boolean
  readonly hadManipulation: boolean
  readonly hadManipulationFlags: number
  readonly reportUninstall: boolean
  readonly isUserKeptSignedIn: boolean
  readonly showDeviceConnected: boolean
  readonly defUser: string
  readonly defUserTimeout: number
  readonly rebootIsManipulation: boolean
  readonly cOverlay: RuntimePermission
  readonly hOverlay: RuntimePermission
  readonly asEnabled: boolean
  readonly wasAsEnabled: boolean
  readonly activityLevelBlocking: boolean
  readonly qOrLater: boolean
  readonly mFlags: number
  /** Its public key, in Base64; absent until it uploaded one. */
  readonly pk?: string
  readonly pType?: string
  readonly pLevel: number
}

export interface DeviceRecord extends HouseholdRecord {
  readonly device: Device
  /** Versions of its encrypted lists of apps; empty when there is none. */
  readonly appsB: string
  readonly appsD: string
  /** The newest key response's number to it; 0 before the first. */
  readonly lastKeyResponse: number
}

/** An encrypted list of apps of a device: all of them, or how they differ from all. */
export interface InstalledAppsRecord extends HouseholdRecord {
  readonly data: Uint8Array
}

export interface CategoryBase {
  readonly categoryId: string
  readonly childId: string
  readonly title: string
  /** Bits of the week's minutes, as the apps write them. */
  readonly blockedTimes: string
  readonly extraTime: number
  /** The day of the epoch for which the extra time is; -1 for any. */
  readonly extraTimeDay: number
  readonly tempBlocked: boolean
  /** Until when; 0 without an end. */
  readonly tempBlockTime: number
  readonly parentCategoryId: string
  readonly blockAllNotifications: boolean
  readonly timeWarnings: number
  readonly mblCharging: number
  readonly mblMobile: number
  readonly sort: number
  readonly networks: readonly Network[]
  readonly dlu: number
  readonly flags: number
  readonly blockNotificationDelay: number
  /** Further minutes before the end at which is warned. */
  readonly atw: readonly number[]
}

export interface Network {
  readonly itemId: string
  readonly hashedNetworkId: string
}

export interface CategoryRecord extends HouseholdRecord {
  /** Goes out with its version beside the rest. */
  readonly base: CategoryBase
  readonly versions: Readonly<Record<CategoryPart, string>>
}

/** The apps of a category, in the order of being added. */
export interface CategoryAppsRecord extends HouseholdRecord {
  readonly apps: readonly string[]
}

export interface Rule {
  readonly id: string
  readonly extraTime: boolean
  readonly dayMask: number
  readonly maxTime: number
  readonly start: number
  readonly end: number
  readonly session: number
  readonly pause: number
  readonly perDay: boolean
  /** When it ends by itself; absent when never. */
  readonly e?: number
}

export interface RuleRecord extends HouseholdRecord {
  readonly categoryId: string
  readonly rule: Rule
}

/** What was used of a category on a day, between two minutes of it, both included. */
export interface UsedTime {
  readonly day: number
  readonly time: number
  readonly start: number
  readonly end: number
}

export interface SessionDuration {
  /** The most that a session may last, and how long a pause ends it, in milliseconds. */
  readonly md: number
  readonly spd: number
  /** First and last minute of the day for which that holds. */
  readonly sm: number
  readonly em: number
  /** When it was last used; 0 when that is not known. */
  readonly l: number
  /** How long the session lasts by now. */
  readonly d: number
}

/** Of one category. */
export interface UsedTimesRecord extends HouseholdRecord {
  readonly times: readonly UsedTime[]
  readonly sessionDurations: readonly SessionDuration[]
}

export interface Task {
  readonly i: string
  readonly t: string
  /** The extra time that it brings, in milliseconds. */
  readonly d: number
  /** A child says that it is done. */
  readonly p: boolean
  /** When that was last granted; 0 for never. */
  readonly l: number
}

export interface TaskRecord extends HouseholdRecord {
  readonly categoryId: string
  readonly task: Task
}

/** A device asks the others for a key. Goes out as it is, without `cursor`. */
export interface KeyRequestRecord extends HouseholdRecord {
  readonly srvSeq: number
  readonly senId: string
  readonly senSeq: number
  readonly deviceId?: string
  readonly categoryId?: string
  readonly type: number
  readonly tempKey: string
  readonly signature: string
}

/** What a device gets to one of its key requests. */
export interface KeyResponse {
  readonly srvSeq: number
  readonly sender: string
  readonly rqSeq: number
  readonly tempKey: string
  readonly cryptKey: string
  readonly signature: string
}

/** Those that a device has not acknowledged, by rising number. */
export interface KeyResponsesRecord extends HouseholdRecord {
  readonly responses: readonly KeyResponse[]
}

export interface Ping {
  /** Who sent it. */
  readonly deviceId: string
  readonly token: string
  readonly type: 'ping' | 'pong'
}

/** Those that wait for a device. */
export interface PingsRecord extends HouseholdRecord {
  readonly pings: readonly Ping[]
}

/** A security key of a parent. */
export interface U2fRecord extends HouseholdRecord {
  /** The parent. */
  readonly u: string
  readonly a: number
  readonly h: string
  readonly p: string
}

/** Each part of a family, and what its ids name. */
export interface Parts {
  /** One, whose id is `family`. */
  family: FamilyRecord
  /** user */
  user: UserRecord
  /** device */
  device: DeviceRecord
  /** device */
  appsBase: InstalledAppsRecord
  /** device */
  appsDiff: InstalledAppsRecord
  /** category */
  category: CategoryRecord
  /** category */
  categoryApps: CategoryAppsRecord
  /** rule */
  rule: RuleRecord
  /** category */
  usedTimes: UsedTimesRecord
  /** task */
  task: TaskRecord
  /** The request's number, so padded that it sorts. */
  keyRequest: KeyRequestRecord
  /** The device that they are for. */
  keyResponses: KeyResponsesRecord
  /** The device that they are for. */
  pings: PingsRecord
  /** A hash of handle and public key. */
  u2f: U2fRecord
}

export type Part = keyof Parts
