import * as assert from 'uvu/assert'
import type { StoredFamily } from '../../../server/dialects/timelimit/family.ts'
import { NOTHING, statusPieces, type Asking, type ClientStatus } from '../../../server/dialects/timelimit/pull-status.ts'
import type { CategoryRecord, KeyRequestRecord, Part, Parts } from '../../../server/dialects/timelimit/records.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/timelimit/pull-status')

type Records = { [P in Part]?: Record<string, unknown> }

/** A family of these records, and which parts of it were read. */
function familyIn(records: Records): StoredFamily & { readonly read: Set<Part> } {
  const read = new Set<Part>()
  const of = <P extends Part>(part: P): Record<string, Parts[P]> => {
    read.add(part)
    return (records[part] ?? {}) as Record<string, Parts[P]>
  }
  return {
    read,
    get: (part, id) => of(part)[id],
    all: part => Object.entries(of(part)),
    keyRequestsAfter: number => Object.values<KeyRequestRecord>(of('keyRequest')).filter(({ srvSeq }) => srvSeq > number)
  }
}

const versions = { base: 'b001', apps: 'a001', rules: 'r001', usedTime: 'u001', tasks: 't001' } as const

const category = (id: string): CategoryRecord => ({
  cursor: 1,
  versions,
  base: {
    categoryId: id,
    childId: 'child1',
    title: id,
    blockedTimes: '',
    extraTime: 0,
    extraTimeDay: -1,
    tempBlocked: false,
    tempBlockTime: 0,
    parentCategoryId: '',
    blockAllNotifications: false,
    timeWarnings: 0,
    mblCharging: 0,
    mblMobile: 0,
    sort: 0,
    networks: [],
    dlu: 0,
    flags: 0,
    blockNotificationDelay: 0,
    atw: []
  }
})

const rule = { id: 'rule01', extraTime: false, dayMask: 1, maxTime: 0, start: 0, end: 1_439, session: 0, pause: 0, perDay: true }
const slots = [
  { day: 1, time: 5, start: 0, end: 1_439 },
  { day: 1, time: 3, start: 60, end: 120 }
]
const bytes = Buffer.from('apps')

const response = (srvSeq: number) => ({ srvSeq, sender: 'other1', rqSeq: 1, tempKey: '', cryptKey: '', signature: '' })
const request = (srvSeq: number, senId: string) => ({ cursor: 1, srvSeq, senId, senSeq: 0, type: 1, tempKey: '', signature: '' })

/** What a device is told, read again. */
const pullStatus = (family: StoredFamily, asking: Asking, has: ClientStatus) =>
  JSON.parse([...statusPieces(family, asking, has)].join('')) as Record<string, unknown>

/** One of everything. */
const everything: Records = {
  family: {
    family: { cursor: 1, versions: { users: 'us01', devices: 'de01', u2f: 'u2f1' }, fullVersion: 1, lastKeyRequest: 40 }
  },
  user: { child1: { cursor: 1, user: { id: 'child1', name: 'Tim' }, secondHash: 'secret' } },
  device: { device: { cursor: 1, device: { deviceId: 'device', name: 'x' }, appsB: 'ab01', appsD: '', lastKeyResponse: 2 } },
  appsBase: { device: { cursor: 1, data: bytes } },
  category: { one: category('one'), two: category('two') },
  categoryApps: { one: { cursor: 1, apps: ['app'] } },
  rule: { rule01: { cursor: 1, categoryId: 'one', rule } },
  usedTimes: { one: { cursor: 1, times: slots, sessionDurations: [] } },
  task: { task01: { cursor: 1, categoryId: 'two', task: { i: 'task01', t: 'tidy up', d: 1, p: false, l: 0 } } },
  keyRequest: { 1: request(1, 'device'), 2: request(2, 'other1') },
  keyResponses: { device: { cursor: 1, responses: [response(1), response(2)] } },
  pings: { device: { cursor: 1, pings: [{ deviceId: 'other1', token: 'token1', type: 'ping' }] } },
  u2f: { key: { cursor: 1, u: 'child1', a: 1, h: 'handle', p: 'key' } }
}

/** A client that has all of it. */
const all: ClientStatus = {
  devices: 'de01',
  users: 'us01',
  apps: {},
  categories: { one: versions, two: versions },
  clientLevel: 8,
  devicesDetail: { device: { appsB: 'ab01', appsD: '' } },
  dh: 'key1',
  kri: 40,
  kr: 2,
  u2f: 'u2f1'
}

/** The device that asks. */
const asking = { device: 'device', key: () => ({ v: 'key1', k: 'public' }) }

const SAME = { fullVersion: 1, apiLevel: 9 }
const pings = [{ deviceId: 'other1', token: 'token1', type: 'ping' }]

test('who has everything is told so in a few bytes, and of the family only what has versions is read', () => {
  const family = familyIn(everything)
  assert.equal(pullStatus(family, asking, all), { ...SAME, pings })
  for (const part of ['user', 'rule', 'task', 'usedTimes', 'categoryApps', 'appsBase', 'u2f', 'keyRequest'] as const)
    assert.not.ok(family.read.has(part), part)
})

test('who has nothing is told everything', () => {
  const { base } = category('one')
  const told = pullStatus(familyIn(everything), asking, { ...NOTHING, clientLevel: 8 })
  assert.equal(told, {
    ...SAME,
    pings,
    devices: { version: 'de01', data: [{ deviceId: 'device', name: 'x' }] },
    users: { version: 'us01', data: [{ id: 'child1', name: 'Tim' }] },
    categoryBase: ['one', 'two'].map(id => ({ ...base, categoryId: id, title: id, version: 'b001' })),
    categoryApp: [
      { categoryId: 'one', apps: ['app'], version: 'a001' },
      { categoryId: 'two', apps: [], version: 'a001' }
    ],
    rules: [
      { categoryId: 'one', rules: [rule], version: 'r001' },
      { categoryId: 'two', rules: [], version: 'r001' }
    ],
    usedTimes: [
      { categoryId: 'one', times: slots, sessionDurations: [], version: 'u001' },
      { categoryId: 'two', times: [], sessionDurations: [], version: 'u001' }
    ],
    tasks: [
      { categoryId: 'one', tasks: [], version: 't001' },
      { categoryId: 'two', tasks: [{ i: 'task01', t: 'tidy up', d: 1, p: false, l: 0 }], version: 't001' }
    ],
    devices2: [{ deviceId: 'device', appsBase: { version: 'ab01', data: bytes.toString('base64') } }],
    krq: [{ srvSeq: 2, senId: 'other1', senSeq: 0, type: 1, tempKey: '', signature: '' }],
    kr: [response(1), response(2)],
    dh: { v: 'key1', k: 'public' },
    u2f: { v: 'u2f1', d: [{ u: 'child1', a: 1, h: 'handle', p: 'key' }] }
  })
})

const PARTS = { base: 'categoryBase', apps: 'categoryApp', rules: 'rules', usedTime: 'usedTimes', tasks: 'tasks' } as const

for (const [part, name] of Object.entries(PARTS))
  test(`another version of ${part} brings ${name} of that category, and nothing else`, () => {
    const categories = { ...all.categories, two: { ...versions, [part]: 'old1' } }
    const told = pullStatus(familyIn(everything), asking, { ...all, categories })
    assert.equal(Object.keys(told).sort(), ['apiLevel', 'fullVersion', 'pings', name].sort())
    assert.equal(
      (told[name] as { categoryId: string }[]).map(({ categoryId }) => categoryId),
      ['two']
    )
  })

test('a category that the client does not know is told whole, and one that the family does not have is taken away', () => {
  const told = pullStatus(familyIn(everything), asking, { ...all, categories: { one: versions, gone: versions } })
  assert.equal(told.rmCategories, ['gone'])
  for (const name of Object.values(PARTS))
    assert.equal(
      (told[name] as { categoryId: string }[]).map(({ categoryId }) => categoryId),
      ['two']
    )
})

test('what a client is too old for is not told to it', () => {
  const partsAt = (clientLevel?: number): string[] =>
    Object.keys(pullStatus(familyIn(everything), asking, { ...NOTHING, ...(clientLevel !== undefined && { clientLevel }) }))
  const since: Record<string, number> = { tasks: 3, devices2: 4, krq: 4, kr: 4, dh: 5, u2f: 6, pings: 7 }
  for (const level of [undefined, 0, 1, 2, 3, 4, 5, 6, 7, 8]) {
    const known = Object.keys(since).filter(name => since[name]! <= (level ?? 0))
    const told = partsAt(level).filter(name => name in since)
    assert.equal(told.sort(), known.sort(), `level ${level}`)
  }
})

test('times of less than a day are told from level 2 on', () => {
  const timesAt = (clientLevel: number): unknown =>
    (pullStatus(familyIn(everything), asking, { ...NOTHING, clientLevel }).usedTimes as { times: unknown }[])[0]!.times
  assert.equal(timesAt(1), [slots[0]])
  assert.equal(timesAt(2), slots)
})

test('of keys, 32 are told at once', () => {
  const numbers = Array.from({ length: 40 }, (_, index) => index + 1)
  const family = familyIn({
    ...everything,
    device: { device: { ...everything.device!.device!, lastKeyResponse: 40 } },
    keyRequest: Object.fromEntries(numbers.map(number => [number, request(number, 'other1')])),
    keyResponses: { device: { cursor: 1, responses: numbers.map(response) } }
  })
  const { krq, kr } = pullStatus(family, asking, { ...all, kri: 3, kr: 5 }) as Record<string, { srvSeq: number }[]>
  assert.equal([krq!.length, krq![0]!.srvSeq, krq!.at(-1)!.srvSeq], [32, 4, 35])
  assert.equal([kr!.length, kr![0]!.srvSeq, kr!.at(-1)!.srvSeq], [32, 6, 37])
})

test('without pings there is an empty list', () => {
  assert.equal(pullStatus(familyIn({ ...everything, pings: {} }), asking, all), { ...SAME, pings: [] })
})

test('names of what every object has are no categories', () => {
  const told = pullStatus(familyIn({ ...everything, category: { constructor: category('constructor') } }), asking, all)
  assert.equal(told.rmCategories, ['one', 'two'])
  assert.is((told.rules as unknown[]).length, 1)
})

test('it is told piece by piece, each made when it is its turn', () => {
  const family = familyIn(everything)
  const has = { ...NOTHING, clientLevel: 8 }
  const pieces = statusPieces(family, asking, has)
  let text = ''
  while (!text.includes('"usedTimes"')) {
    assert.not.ok(family.read.has('usedTimes'))
    text += pieces.next().value as string
  }
  text += [...pieces].join('')
  assert.equal(JSON.parse(text), pullStatus(familyIn(everything), asking, has))
})

test('of what waits for its turn nothing is kept: it is told as it is by then, and what is gone is left out', () => {
  const records = { ...everything, category: { ...everything.category } }
  const pieces = statusPieces(familyIn(records), asking, { ...NOTHING, clientLevel: 8 })
  let text = ''
  while (!text.includes('"categoryBase"')) text += pieces.next().value as string
  const changed = category('one')
  records.category = { one: { ...changed, base: { ...changed.base, title: 'later' } } }
  const told = JSON.parse(text + [...pieces].join('')) as Record<string, { categoryId: string; title?: string }[]>
  assert.equal(
    told.categoryBase!.map(({ categoryId, title }) => [categoryId, title]),
    [['one', 'later']]
  )
  for (const name of Object.values(PARTS))
    assert.equal(
      told[name]!.map(({ categoryId }) => categoryId),
      ['one']
    )
})

test('when all categories are gone by the time that they are told, their lists are empty', () => {
  const records = { ...everything, category: { ...everything.category } }
  const pieces = statusPieces(familyIn(records), asking, NOTHING)
  let text = ''
  while (!text.includes('"categoryBase"')) text += pieces.next().value as string
  records.category = {}
  const { categoryBase, usedTimes } = JSON.parse(text + [...pieces].join('')) as Record<string, unknown>
  assert.equal([categoryBase, usedTimes], [[], []])
})

test('lists of apps are told in small pieces, which together are the lists', () => {
  const [base, diff] = [524_288, 100_000].map(length => Uint8Array.from({ length }, (_, index) => index % 251))
  const family = familyIn({
    ...everything,
    device: { device: { cursor: 1, device: { deviceId: 'device' }, appsB: 'ab01', appsD: 'ad01', lastKeyResponse: 2 } },
    appsBase: { device: { cursor: 1, data: base } },
    appsDiff: { device: { cursor: 1, data: diff } }
  })
  const pieces = [...statusPieces(family, asking, { ...NOTHING, clientLevel: 8 })]
  assert.ok(pieces.every(({ length }) => length <= 65_536))
  assert.equal((JSON.parse(pieces.join('')) as Record<string, unknown>).devices2, [
    {
      deviceId: 'device',
      appsBase: { version: 'ab01', data: Buffer.from(base!).toString('base64') },
      appsDiff: { version: 'ad01', data: Buffer.from(diff!).toString('base64') }
    }
  ])
})

test.run()
