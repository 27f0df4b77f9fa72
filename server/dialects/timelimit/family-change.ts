import type { Moment } from '../../core/change.ts'
import type { HouseholdRecord } from '../../core/records.ts'
import type { Views } from '../../core/views.ts'
import { familyOf, type FamilyReading, type Given } from './family.ts'
import type {
  CategoryBase,
  CategoryPart,
  CategoryRecord,
  Device,
  DeviceRecord,
  ListName,
  Part,
  Parts,
  RuleRecord,
  TaskRecord,
  User,
  UserRecord
} from './records.ts'
import { refuse } from './refuse.ts'

/** Records by their ids. */
export type FamilyRecords = Pick<FamilyReading, 'get' | 'all'>

const LISTS = ['users', 'devices', 'u2f'] as const
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const VERSIONS = ALPHABET.length ** 4
/** Has no factor in common with the number of versions, so that times that follow on one another give versions that differ. */
const SPREAD = 48_271

/**
 * One action's effect on the records of a family. What it puts stays here until it is kept; then everything that was changed gets a new version. So an action that is
 * refused half-way has changed nothing, and no effect has to think of versions.
 */
export class FamilyChange implements FamilyRecords {
  readonly at: Moment
  readonly #views: Views
  readonly #stored: FamilyRecords
  readonly #given = new Map<Part, Map<string, HouseholdRecord | undefined>>()
  readonly #lists = new Set<ListName>()
  readonly #parts = new Map<string, Set<CategoryPart>>()

  constructor(views: Views, at: Moment) {
    this.#views = views
    this.#stored = familyOf(views)
    this.at = at
  }

  /** The hub's time of the change, in milliseconds. */
  get timeMs(): number {
    return Math.floor(this.at.timeUs / 1_000)
  }

  get<P extends Part>(part: P, id: string): Parts[P] | undefined {
    const given = this.#given.get(part)
    return given?.has(id) ? (given.get(id) as Parts[P] | undefined) : this.#stored.get(part, id)
  }

  all<P extends Part>(part: P): [id: string, record: Parts[P]][] {
    const given = this.#given.get(part)
    const stored = this.#stored.all(part)
    if (given === undefined) return stored
    const all = new Map<string, Parts[P] | undefined>(stored)
    for (const [id, record] of given) all.set(id, record as Parts[P] | undefined)
    return [...all].filter((entry): entry is [string, Parts[P]] => entry[1] !== undefined)
  }

  /** Puts a record without a new version of anything. */
  put<P extends Part>(part: P, id: string, record: Given<Parts[P]>): void {
    this.#give(part, id, { ...record, cursor: this.at.cursor })
  }

  remove(part: Part, id: string): void {
    this.#give(part, id, undefined)
  }

  /** Something of a list has changed. */
  renew(list: ListName): void {
    this.#lists.add(list)
  }

  /** A part of a category has changed. */
  renewPart(category: string, part: CategoryPart): void {
    const parts = this.#parts.get(category) ?? new Set()
    this.#parts.set(category, parts.add(part))
  }

  user(id: string): UserRecord {
    return this.get('user', id) ?? refuse('not-found', `there is no user ${id}`)
  }

  /** @param type what the user has to be */
  userOf(type: User['type'], id: string): UserRecord {
    const record = this.user(id)
    return record.user.type === type ? record : refuse('not-found', `user ${id} is no ${type}`)
  }

  device(id: string): DeviceRecord {
    return this.get('device', id) ?? refuse('not-found', `there is no device ${id}`)
  }

  category(id: string): CategoryRecord {
    return this.get('category', id) ?? refuse('not-found', `there is no category ${id}`)
  }

  rule(id: string): RuleRecord {
    return this.get('rule', id) ?? refuse('not-found', `there is no rule ${id}`)
  }

  task(id: string): TaskRecord {
    return this.get('task', id) ?? refuse('not-found', `there is no task ${id}`)
  }

  categoriesOf(child: string): CategoryRecord[] {
    return this.all('category').flatMap(([, record]) => (record.base.childId === child ? [record] : []))
  }

  /** The category and those that it is in, from the inside out. */
  withOuter(category: string): string[] {
    const found: string[] = []
    for (let id = category; id !== '' && !found.includes(id);) {
      found.push(id)
      id = this.get('category', id)?.base.parentCategoryId ?? ''
    }
    return found
  }

  setUser(id: string, changed: Partial<User>, secondHash?: string): void {
    const record = this.user(id)
    this.put('user', id, { user: { ...record.user, ...changed }, secondHash: secondHash ?? record.secondHash })
    this.renew('users')
  }

  setDevice(id: string, changed: Partial<Device>): void {
    const record = this.device(id)
    this.put('device', id, { ...record, device: { ...record.device, ...changed } })
    this.renew('devices')
  }

  setBase(id: string, changed: Partial<CategoryBase>): void {
    const record = this.category(id)
    this.put('category', id, { ...record, base: { ...record.base, ...changed } })
    this.renewPart(id, 'base')
  }

  /** Writes what was put to the records. */
  keep(): void {
    this.#renewVersions()
    for (const [part, given] of this.#given)
      for (const [id, record] of given) {
        if (record === undefined) this.#views.remove('household', part, id)
        else this.#views.put('household', [part, id], record)
      }
  }

  #give(part: Part, id: string, record: HouseholdRecord | undefined): void {
    const given = this.#given.get(part) ?? new Map<string, HouseholdRecord | undefined>()
    this.#given.set(part, given.set(id, record))
  }

  #renewVersions(): void {
    const family = this.get('family', 'family')
    if (family === undefined) return
    const versions = { ...family.versions }
    for (const list of LISTS) if (this.#lists.has(list)) versions[list] = this.versionAfter(versions[list])
    if (this.#lists.size > 0) this.put('family', 'family', { ...family, versions })
    for (const [id, parts] of this.#parts) {
      const category = this.get('category', id)
      if (category === undefined) continue
      const versions = { ...category.versions }
      for (const part of parts) versions[part] = this.versionAfter(versions[part])
      this.put('category', id, { ...category, versions })
    }
  }

  /**
   * A version that is not the one before, made of the change: folding it again gives the same. Of the hub's time and not of the cursor alone, so that a log that was
   * restored and goes on gives others than the one that was lost.
   */
  versionAfter(before = ''): string {
    const { cursor, timeUs } = this.at
    const number = Number((BigInt(timeUs) * BigInt(SPREAD) + BigInt(cursor)) % BigInt(VERSIONS))
    const version = written(number)
    return version === before ? written((number + 1) % VERSIONS) : version
  }
}

function written(number: number): string {
  let version = ''
  for (let left = number; version.length < 4; left = Math.floor(left / ALPHABET.length))
    version += ALPHABET[left % ALPHABET.length]
  return version
}
