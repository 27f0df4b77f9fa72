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
/** Of a list of apps, told at once. A multiple of 3, so that what follows goes on in Base64. */
const APPS_PIECE_BYTES = 49_152

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
/**
 * An item of a long part as JSON, piece by piece: made when it is its turn to be told, or nothing when it is gone by then. Until then it holds no record, and nothing of what the
 * client said: answers that their clients do not read may be many.
 */
type Later = () => Iterable<string>
type StatusParts = Record<string, Plain | readonly Later[]>

/** Who asks, and the key that it seals passwords for, which is made when it may be told. */
export interface Asking {
  readonly device: string
  readonly key: () => DeviceKey
}

/**
 * What a device lacks of its family: each part whole whose version is another than the one that it has. Of parts that it has, versions alone are read. It is JSON, piece by
 * piece: that of a large family is tens of megabytes. The family may change meanwhile: what is told is then newer than the version that it is told under, and the next pull has it
 * once more.
 * @param family as it is whenever it is read
 */
export const statusPieces = (family: StoredFamily, asking: Asking, has: ClientStatus): Generator<string, void, void> =>
  piecesOf(statusParts(family, asking, has))

function* piecesOf(parts: StatusParts): Generator<string, void, void> {
  let before = '{'
  for (const [name, part] of Object.entries(parts)) {
    const head = `${before}${JSON.stringify(name)}:`
    before = ','
    if (!isLong(part)) {
      yield head + JSON.stringify(part)
      continue
    }
    yield `${head}[`
    let comma = ''
    for (const make of part) {
      let begin = comma
      for (const piece of make()) {
        yield begin + piece
        begin = ''
        comma = ','
      }
    }
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
    const seen = seenOf(lastKeyRequest, has.kri)
    if (seen < lastKeyRequest) addIfAny(answer, 'krq', keyRequests(family, device, seen))
    addIfAny(answer, 'kr', keyResponses(family, device, has.kr))
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
  const addChanged = (part: CategoryPart, name: string, tell: TellCategory): void => {
    const news = categories.filter(([id, { versions }]) => known(has.categories, id)?.[part] !== versions[part])
    addIfAny(
      answer,
      name,
      news.map(([id, { versions }]) => laterCategory(family, id, versions[part], tell))
    )
  }
  const there = new Set(categories.map(([id]) => id))
  addIfAny(
    answer,
    'rmCategories',
    Object.keys(has.categories).filter(id => !there.has(id))
  )
  addChanged('base', 'categoryBase', tellBase)
  addChanged('apps', 'categoryApp', tellApps(family))
  addChanged('rules', 'rules', tellGroup(family, 'rule', 'rules'))
  addChanged('usedTime', 'usedTimes', tellUsedTimes(family, level))
  if (level >= LEAST_LEVELS.tasks) addChanged('tasks', 'tasks', tellGroup(family, 'task', 'tasks'))
}

type TellCategory = (id: string, category: CategoryRecord) => Answer

/** One that was deleted meanwhile is not told: the next pull says that it is gone. */
const laterCategory = (family: StoredFamily, id: string, version: string, tell: TellCategory): Later =>
  function* () {
    const category = family.get('category', id)
    if (category !== undefined) yield JSON.stringify({ categoryId: id, ...tell(id, category), version })
  }

const tellBase: TellCategory = (_, { base }) => ({
  ...base,
  networks: base.networks.map(network => ({ ...network })),
  atw: [...base.atw]
})

const tellApps =
  (family: StoredFamily): TellCategory =>
  id => ({ apps: [...(family.get('categoryApps', id)?.apps ?? [])] })

/** All of a part by category. Which are of which category is looked up once it is asked for, and no more than that is kept. */
function tellGroup(family: StoredFamily, part: 'rule' | 'task', name: string): TellCategory {
  let groups: Map<string, string[]> | undefined
  return category => {
    if (groups === undefined) {
      groups = new Map()
      for (const [id, { categoryId }] of family.all(part)) {
        const group = groups.get(categoryId)
        if (group === undefined) groups.set(categoryId, [id])
        else group.push(id)
      }
    }
    const items = (groups.get(category) ?? []).flatMap((id): Answer[] => {
      const item = part === 'rule' ? family.get(part, id)?.rule : family.get(part, id)?.task
      return item === undefined ? [] : [{ ...item }]
    })
    return { [name]: items }
  }
}

function tellUsedTimes(family: StoredFamily, level: number): TellCategory {
  const isTold = level >= LEAST_LEVELS.subDayTimes ? () => true : isWholeDay
  return id => {
    const { times = [], sessionDurations = [] } = family.get('usedTimes', id) ?? {}
    return {
      times: times.filter(isTold).map(({ day, time, start, end }) => ({ day, time, start, end })),
      sessionDurations: sessionDurations.map(session => ({ ...session }))
    }
  }
}

const isWholeDay = ({ start, end }: { start: number; end: number }): boolean => start === 0 && end === MAX_MINUTE

/** There is none, or the client has it. */
const isKnown = (version: string, hasVersion = ''): boolean => version === '' || version === hasVersion

function installedApps(family: StoredFamily, has: ClientStatus): Later[] {
  return family.all('device').flatMap(([id, { appsB, appsD }]): Later[] => {
    const has2 = known(has.devicesDetail ?? {}, id)
    const news: AppsNews[] = []
    if (!isKnown(appsB, has2?.appsB)) news.push(['appsBase', appsB])
    if (!isKnown(appsD, has2?.appsD)) news.push(['appsDiff', appsD])
    return news.length === 0 ? [] : [laterApps(family, id, news)]
  })
}

type AppsNews = readonly [part: 'appsBase' | 'appsDiff', version: string]

/** A list of half a megabyte is not told at once: what is made and not taken yet would be larger than the list. */
const laterApps = (family: StoredFamily, device: string, news: readonly AppsNews[]): Later =>
  function* () {
    yield `{"deviceId":${JSON.stringify(device)}`
    for (const [part, version] of news) {
      const data = family.get(part, device)?.data
      if (data === undefined) continue
      yield `,"${part}":{"version":${JSON.stringify(version)},"data":"`
      for (let from = 0; from < data.length; from += APPS_PIECE_BYTES) yield base64(data.subarray(from, from + APPS_PIECE_BYTES))
      yield '"}'
    }
    yield '}'
  }

/** Up to which number a client has seen something. One that is further than the hub ever was saw what a restored backup lacks: of what the hub has it may have seen nothing. */
const seenOf = (newest: number, said = 0): number => (said > newest ? 0 : said)

/** The key response that a device has seen last. @param said its own word */
export const seenResponse = (family: StoredFamily, device: string, said: number | undefined): number =>
  seenOf(family.get('device', device)?.lastKeyResponse ?? 0, said)

/** Of other devices. */
function keyRequests(family: StoredFamily, device: string, seen: number): Answer[] {
  const found: Answer[] = []
  for (const { cursor: _, ...request } of family.keyRequestsAfter(seen)) {
    if (request.senId !== device) found.push(request)
    if (found.length === MAX_KEYS) break
  }
  return found
}

function keyResponses(family: StoredFamily, device: string, said: number | undefined): Answer[] {
  const { responses = [] } = family.get('keyResponses', device) ?? {}
  const seen = seenResponse(family, device, said)
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
