import { dict, map, number, opt, type Infer, type Plain } from '../../../protocol/index.ts'
import type { DeviceKey } from './device-keys.ts'
import type { StoredFamily } from './family.ts'
import type { CategoryPart, CategoryRecord, Part, Parts } from './records.ts'
import { text } from './services.ts'

/** What the hub's answers are like: the newest that the apps know. */
const API_LEVEL = 9
/** Key requests, or responses, in one answer; the next pull has the others. */
const MAX_KEYS = 32
const MAX_MINUTE = 1_439
const MAX_ENTRIES = 4_096

const anyNumber = number(-Number.MAX_VALUE, Number.MAX_VALUE)

/** What a client has. */
export const clientStatus = map({
  devices: text,
  users: text,
  apps: dict(text, MAX_ENTRIES),
  categories: dict(map({ base: text, apps: text, rules: text, usedTime: text, tasks: opt(text) }), MAX_ENTRIES),
  clientLevel: opt(anyNumber),
  devicesDetail: opt(dict(map({ appsB: opt(text), appsD: opt(text) }), MAX_ENTRIES)),
  kri: opt(anyNumber),
  kr: opt(anyNumber),
  dh: opt(text),
  u2f: opt(text)
})

export type ClientStatus = Infer<typeof clientStatus>

/** The status of one who has nothing. */
export const NOTHING: ClientStatus = { devices: '', users: '', apps: {}, categories: {} }

/** From which level on a client understands a part. */
const LEAST_LEVELS = { subDayTimes: 2, tasks: 3, keys: 4, dh: 5, u2f: 6, pings: 7 } as const

type Answer = Record<string, Plain>
/** Of a long part: made when it is its turn to be told. */
type Later = () => Plain
type StatusParts = Record<string, Plain | readonly Later[]>

/** Who asks, and the key that it seals passwords for, which is made when it may be told. */
export interface Asking {
  readonly device: string
  readonly key: () => DeviceKey
}

/**
 * What a device lacks of its family: each part whole whose version is another than the one that it has. Of parts that it has, versions alone are read.
 */
export const pullStatus = (family: StoredFamily, asking: Asking, has: ClientStatus): Answer =>
  Object.fromEntries(
    Object.entries(statusParts(family, asking, has)).map(([name, part]) => [name, isLong(part) ? part.map(make => make()) : part])
  )

/**
 * The same as JSON, piece by piece: that of a large family is tens of megabytes. The family may change meanwhile: what is told is then newer than the version that it is
 * told under, and the next pull has it once more.
 */
export function* statusPieces(family: StoredFamily, asking: Asking, has: ClientStatus): Generator<string, void, void> {
  let before = '{'
  for (const [name, part] of Object.entries(statusParts(family, asking, has))) {
    const head = `${before}${JSON.stringify(name)}:`
    before = ','
    if (!isLong(part)) {
      yield head + JSON.stringify(part)
      continue
    }
    for (const [index, make] of part.entries()) yield (index === 0 ? `${head}[` : ',') + JSON.stringify(make())
    yield ']'
  }
  yield '}'
}

const isLong = (part: Plain | readonly Later[]): part is readonly Later[] => Array.isArray(part) && typeof part[0] === 'function'

function statusParts(family: StoredFamily, { device, key }: Asking, has: ClientStatus): StatusParts {
  const { clientLevel: level = 0 } = has
  const { versions, fullVersion, lastKeyRequest } = family.get('family', 'family')!
  const answer: StatusParts = { fullVersion, apiLevel: API_LEVEL }
  if (has.devices !== versions.devices)
    answer.devices = { version: versions.devices, data: all(family, 'device', record => ({ ...record.device })) }
  if (has.users !== versions.users)
    answer.users = { version: versions.users, data: all(family, 'user', record => ({ ...record.user })) }
  addCategories(answer, family, has, level)
  if (level >= LEAST_LEVELS.keys) {
    addIfAny(answer, 'devices2', installedApps(family, has))
    const { kri = 0 } = has
    if (kri < lastKeyRequest) addIfAny(answer, 'krq', keyRequests(family, device, kri))
    addIfAny(answer, 'kr', keyResponses(family, device, has.kr ?? 0))
  }
  if (level >= LEAST_LEVELS.dh) {
    const { v, k } = key()
    if (has.dh !== v) answer.dh = { v, k }
  }
  if (level >= LEAST_LEVELS.u2f && has.u2f !== versions.u2f)
    answer.u2f = { v: versions.u2f, d: all(family, 'u2f', ({ u, a, h, p }) => ({ u, a, h, p })) }
  if (level >= LEAST_LEVELS.pings) answer.pings = [...(family.get('pings', device)?.pings ?? [])].map(ping => ({ ...ping }))
  return answer
}

function addCategories(answer: StatusParts, family: StoredFamily, has: ClientStatus, level: number): void {
  const categories = family.all('category')
  /** Those whose part is another than the client has, as the answer tells them. */
  const changed = (part: CategoryPart, name: string, tell: (id: string, category: CategoryRecord) => Answer): void => {
    const news = categories.filter(([id, { versions }]) => known(has.categories, id)?.[part] !== versions[part])
    addIfAny(
      answer,
      name,
      news.map(([id, category]): Later => () => ({ categoryId: id, ...tell(id, category), version: category.versions[part] }))
    )
  }
  const there = new Set(categories.map(([id]) => id))
  addIfAny(
    answer,
    'rmCategories',
    Object.keys(has.categories).filter(id => !there.has(id))
  )
  changed('base', 'categoryBase', (_, { base }) => ({
    ...base,
    networks: base.networks.map(network => ({ ...network })),
    atw: [...base.atw]
  }))
  changed('apps', 'categoryApp', id => ({ apps: [...(family.get('categoryApps', id)?.apps ?? [])] }))
  const rules = grouped(family, 'rule', ({ rule }) => ({ ...rule }))
  changed('rules', 'rules', id => ({ rules: rules(id) }))
  changed('usedTime', 'usedTimes', id => usedTimes(family, id, level))
  if (level < LEAST_LEVELS.tasks) return
  const tasks = grouped(family, 'task', ({ task }) => ({ ...task }))
  changed('tasks', 'tasks', id => ({ tasks: tasks(id) }))
}

/** All of a part by category, read once it is asked for. */
function grouped<P extends 'rule' | 'task'>(
  family: StoredFamily,
  part: P,
  tell: (record: Parts[P]) => Answer
): (category: string) => Answer[] {
  let groups: Map<string, Answer[]> | undefined
  return category => {
    if (groups === undefined) {
      groups = new Map()
      for (const [, record] of family.all(part)) {
        const group = groups.get(record.categoryId)
        if (group === undefined) groups.set(record.categoryId, [tell(record)])
        else group.push(tell(record))
      }
    }
    return groups.get(category) ?? []
  }
}

function usedTimes(family: StoredFamily, category: string, level: number): Answer {
  const { times = [], sessionDurations = [] } = family.get('usedTimes', category) ?? {}
  const isTold = level >= LEAST_LEVELS.subDayTimes ? () => true : isWholeDay
  return {
    times: times.filter(isTold).map(({ day, time, start, end }) => ({ day, time, start, end })),
    sessionDurations: sessionDurations.map(session => ({ ...session }))
  }
}

const isWholeDay = ({ start, end }: { start: number; end: number }): boolean => start === 0 && end === MAX_MINUTE

/** There is none, or the client has it. */
const isKnown = (version: string, hasVersion = ''): boolean => version === '' || version === hasVersion

function installedApps(family: StoredFamily, has: ClientStatus): Later[] {
  return family.all('device').flatMap(([id, { appsB, appsD }]): Later[] => {
    const has2 = known(has.devicesDetail ?? {}, id)
    const tell = (part: 'appsBase' | 'appsDiff', version: string, hasVersion = ''): Answer => {
      const record = isKnown(version, hasVersion) ? undefined : family.get(part, id)
      return record === undefined ? {} : { [part]: { version, data: base64(record.data) } }
    }
    if (isKnown(appsB, has2?.appsB) && isKnown(appsD, has2?.appsD)) return []
    return [() => ({ deviceId: id, ...tell('appsBase', appsB, has2?.appsB), ...tell('appsDiff', appsD, has2?.appsD) })]
  })
}

/** Of other devices. */
function keyRequests(family: StoredFamily, device: string, seen: number): Answer[] {
  const found: Answer[] = []
  for (const { cursor: _, ...request } of family.keyRequestsAfter(seen)) {
    if (request.senId !== device) found.push(request)
    if (found.length === MAX_KEYS) break
  }
  return found
}

function keyResponses(family: StoredFamily, device: string, seen: number): Answer[] {
  const { responses = [] } = family.get('keyResponses', device) ?? {}
  return responses
    .filter(({ srvSeq }) => srvSeq > seen)
    .slice(0, MAX_KEYS)
    .map(response => ({ ...response }))
}

const all = <P extends Part>(family: StoredFamily, part: P, tell: (record: Parts[P]) => Answer): Answer[] =>
  family.all(part).map(([, record]) => tell(record))

function addIfAny(answer: StatusParts, name: string, items: Plain[] | Later[]): void {
  if (items.length > 0) answer[name] = items
}

/** What a client says of an id that it may not know. */
const known = <T>(entries: Readonly<Record<string, T>>, id: string): T | undefined =>
  Object.hasOwn(entries, id) ? entries[id] : undefined

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
