/** The versions that a client of TimeLimit tells with each pull: what it has already. */
export interface ClientDataStatus {
  devices: string
  users: string
  apps: Record<string, string>
  categories: Record<string, CategoryVersions>
  clientLevel?: number
  devicesDetail?: Record<string, { appsB?: string; appsD?: string }>
  kri?: number
  kr?: number
  dh?: string
  u2f?: string
}

export interface CategoryVersions {
  base: string
  apps: string
  rules: string
  usedTime: string
  tasks?: string
}

/** The highest level of the protocol: everything is told. */
export const FULL_LEVEL = 8

/** The parts of a category on this wire, by the name of its version. */
const PARTS = { base: 'categoryBase', apps: 'categoryApp', rules: 'rules', usedTime: 'usedTimes', tasks: 'tasks' } as const
type Part = keyof typeof PARTS

/** What of one category a device holds, part by part. */
type MirroredCategory = Record<Part, any>

/**
 * A household as one device has it: put together from the answers of pulls, as the app does it. A part that is told takes the place of the one that was
 * held, a category that is told to be gone goes with all its parts, and what an answer leaves out stays.
 */
export class HouseholdMirror {
  level: number
  devices: { version: string; data: any[] } = { version: '', data: [] }
  users: { version: string; data: any[] } = { version: '', data: [] }
  readonly categories = new Map<string, MirroredCategory>()
  readonly apps = new Map<string, { appsBase?: any; appsDiff?: any }>()
  dh: { v: string; k: string } | undefined
  u2f: { v: string; d: any[] } = { v: '', d: [] }
  /** Requests for keys that others have sent, by the number that the hub gave them. */
  readonly keyRequests = new Map<number, any>()
  readonly keyReplies = new Map<number, any>()
  /** As they were last told: with every answer of level 7, whole. */
  pings: any[] = []
  fullVersion = 0
  apiLevel = 0

  constructor(level = FULL_LEVEL) {
    this.level = level
  }

  /** What to ask with. */
  status(): ClientDataStatus {
    const categories: Record<string, CategoryVersions> = {}
    for (const [id, { base, apps, rules, usedTime, tasks }] of this.categories)
      categories[id] = {
        base: base.version,
        apps: apps.version,
        rules: rules.version,
        usedTime: usedTime.version,
        ...(this.level >= 3 && { tasks: tasks.version })
      }
    return {
      devices: this.devices.version,
      users: this.users.version,
      apps: {},
      categories,
      clientLevel: this.level,
      ...(this.level >= 4 && {
        devicesDetail: Object.fromEntries(
          [...this.apps].map(([id, { appsBase, appsDiff }]) => [
            id,
            { ...(appsBase && { appsB: appsBase.version }), ...(appsDiff && { appsD: appsDiff.version }) }
          ])
        ),
        kri: Math.max(0, ...this.keyRequests.keys()),
        kr: Math.max(0, ...this.keyReplies.keys())
      }),
      ...(this.level >= 5 && this.dh !== undefined && { dh: this.dh.v }),
      ...(this.level >= 6 && { u2f: this.u2f.v })
    }
  }

  /** Takes an answer in. */
  merge(answer: any): void {
    this.fullVersion = answer.fullVersion
    this.apiLevel = answer.apiLevel
    if (answer.devices !== undefined) {
      this.devices = answer.devices
      const ids = new Set(this.devices.data.map(({ deviceId }) => deviceId as string))
      for (const id of this.apps.keys()) if (!ids.has(id)) this.apps.delete(id)
    }
    if (answer.users !== undefined) this.users = answer.users
    for (const id of answer.rmCategories ?? []) this.categories.delete(id)
    for (const [part, name] of Object.entries(PARTS) as [Part, string][])
      for (const told of answer[name] ?? []) this.#category(told.categoryId)[part] = told
    for (const { deviceId, ...lists } of answer.devices2 ?? []) this.apps.set(deviceId, { ...this.apps.get(deviceId), ...lists })
    if (answer.dh !== undefined) this.dh = answer.dh
    if (answer.u2f !== undefined) this.u2f = answer.u2f
    for (const request of answer.krq ?? []) this.keyRequests.set(request.srvSeq, request)
    for (const reply of answer.kr ?? []) this.keyReplies.set(reply.srvSeq, reply)
    this.pings = answer.pings ?? []
  }

  /** What a device does that was told to do a full sync: what it has stays until it is told anew, but it knows no version of it. */
  forgetVersions(): void {
    this.devices.version = ''
    this.users.version = ''
    for (const parts of this.categories.values()) for (const part of Object.values(parts)) part.version = ''
    this.apps.clear()
    this.dh = undefined
    this.u2f.v = ''
  }

  /** One user, device or category's part, as last told. */
  user = (id: string): any => this.users.data.find(user => user.id === id)
  device = (id: string): any => this.devices.data.find(device => device.deviceId === id)
  base = (id: string): any => this.categories.get(id)?.base
  rules = (id: string): any[] => this.categories.get(id)?.rules.rules
  times = (id: string): any[] => this.categories.get(id)?.usedTime.times
  tasks = (id: string): any[] => this.categories.get(id)?.tasks.tasks

  /** Everything that does not depend on who asks or when, in one order: two mirrors that hold the same are equal by it. */
  state(): unknown {
    const sorted = (list: readonly any[], id: string): any[] => [...list].sort((left, right) => (left[id] < right[id] ? -1 : 1))
    const whole = (list: readonly any[]): any[] =>
      [...list].sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1))
    return {
      devices: { ...this.devices, data: sorted(this.devices.data, 'deviceId') },
      users: { ...this.users, data: sorted(this.users.data, 'id') },
      categories: sorted(
        [...this.categories].map(([id, { base, apps, rules, usedTime, tasks }]) => ({
          id,
          base,
          apps: { ...apps, apps: [...(apps.apps as string[])].sort() },
          rules: { ...rules, rules: sorted(rules.rules, 'id') },
          usedTime: { ...usedTime, times: whole(usedTime.times), sessionDurations: whole(usedTime.sessionDurations) },
          tasks: { ...tasks, tasks: sorted(tasks.tasks ?? [], 'i') }
        })),
        'id'
      ),
      apps: sorted(
        [...this.apps].map(([id, lists]) => ({ id, ...lists })),
        'id'
      ),
      u2f: { ...this.u2f, d: whole(this.u2f.d) }
    }
  }

  /** The name of each version that is known → what it is, such as `users`, `base:abc123`, `appsD:device`. */
  versions(): Record<string, string> {
    const found: Record<string, string> = { devices: this.devices.version, users: this.users.version, u2f: this.u2f.v }
    for (const [id, parts] of this.categories)
      for (const [name, part] of Object.entries(parts)) found[`${name}:${id}`] = part.version
    for (const [id, { appsBase, appsDiff }] of this.apps) {
      if (appsBase !== undefined) found[`appsB:${id}`] = appsBase.version
      if (appsDiff !== undefined) found[`appsD:${id}`] = appsDiff.version
    }
    return found
  }

  #category(id: string): MirroredCategory {
    let parts = this.categories.get(id)
    if (parts === undefined) {
      parts = {
        base: { version: '' },
        apps: { version: '', apps: [] },
        rules: { version: '', rules: [] },
        usedTime: { version: '', times: [], sessionDurations: [] },
        tasks: { version: '', tasks: [] }
      }
      this.categories.set(id, parts)
    }
    return parts
  }
}
