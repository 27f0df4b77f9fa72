import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Account } from '../../../server/core/account.ts'
import { checkAccount } from '../../../server/core/check-account.ts'
import { holdContent } from '../../../server/core/files/contents.ts'
import { report, type LocalChange, type Reported } from '../../../server/core/files/report.ts'
import { Origin } from '../../../server/core/origin.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/reports', { limitMs: 120_000 })

const content = (digit: string): { sha256: string; sizeBytes: number } => ({ sha256: digit.repeat(64), sizeBytes: 1 })
const hashOf = (digit: string): string => digit.repeat(64)

interface Scene {
  readonly account: Account
  readonly tell: (change: LocalChange) => Promise<Reported>
  readonly tellAll: (changes: readonly LocalChange[]) => Promise<Reported[]>
}

async function holding(...digits: string[]): Promise<Scene> {
  const core = coreHub()
  const { account, devices } = await core.account('phone')
  const { device } = devices['phone']!
  for (const digit of digits) await holdContent(account, device, hashOf(digit), 1)
  const tellAll: Scene['tellAll'] = changes => report(account, new Origin(device, ''), changes, core.clock)
  return { account, tellAll, tell: async change => (await tellAll([change]))[0]! }
}

const live = (account: Account): Record<string, string> =>
  Object.fromEntries(
    account.views.range('files', [], '', 100).flatMap(([path, file]) => (file.removed ? [] : [[path, file.content.sha256[0]!]]))
  )

test('what is known is not done again, and what the hub lacks is asked for', async () => {
  const { account, tell } = await holding('a')
  assert.equal(await tell({ change: 'put', path: 'x', content: content('b') }), { result: 'upload-required' })
  assert.is((await tell({ change: 'put', path: 'x', content: content('a') })).result, 'accepted')
  const { head } = account
  assert.equal(await tell({ change: 'put', path: 'x', content: content('a') }), { result: 'already-known' })
  assert.equal(await tell({ change: 'deleted', path: 'y', base: hashOf('a') }), { result: 'already-known' })
  assert.is(account.head, head)
})

test('the same side of a conflict is kept once', async () => {
  const { account, tell } = await holding('a', 'b', 'c')
  await tell({ change: 'put', path: 'x', content: content('a') })
  const first = await tell({ change: 'put', path: 'x', content: content('b') })
  assert.is(first.result, 'conflict')
  const { head } = account
  assert.equal(await tell({ change: 'put', path: 'x', content: content('b') }), first)
  assert.is(account.head, head)
  assert.not.equal(await tell({ change: 'put', path: 'x', content: content('c') }), first)
  const removal = await tell({ change: 'deleted', path: 'x', base: hashOf('c') })
  assert.equal(await tell({ change: 'deleted', path: 'x', base: hashOf('b') }), removal)
})

test('a move of what others changed meanwhile takes nothing from them', async () => {
  const { account, tell } = await holding('a', 'b')
  await tell({ change: 'put', path: 'x', content: content('a') })
  await tell({ change: 'put', path: 'x', content: content('b'), base: hashOf('a') })
  await tell({ change: 'moved', path: 'y', from: 'x', content: content('a'), base: hashOf('a') })
  assert.equal(live(account), { x: 'b', y: 'a' })
})

test('a move is one change; of a file that was changed on the way it is two', async () => {
  const { account, tell } = await holding('a', 'b')
  await tell({ change: 'put', path: 'x', content: content('a') })
  const { head } = account
  await tell({ change: 'moved', path: 'y', from: 'x', content: content('a'), base: hashOf('a') })
  assert.equal([live(account), account.head - head], [{ y: 'a' }, 1])
  await tell({ change: 'moved', path: 'z', from: 'y', content: content('b'), base: hashOf('a') })
  assert.equal([live(account), account.head - head], [{ z: 'b' }, 3])
})

test('a move to where another file is keeps both, and the source until then', async () => {
  const { account, tell } = await holding('a', 'b')
  await tell({ change: 'put', path: 'x', content: content('a') })
  await tell({ change: 'put', path: 'y', content: content('b') })
  assert.is((await tell({ change: 'moved', path: 'y', from: 'x', content: content('a'), base: hashOf('a') })).result, 'conflict')
  assert.equal(live(account), { x: 'a', y: 'b' })
})

const PATHS = ['x', 'y', 'f/x', 'f/y']
const DIGITS = Array.from('abcdef0123')

type Deed =
  | { readonly deed: 'write'; readonly device: number; readonly path: string; readonly digit: string }
  | { readonly deed: 'delete'; readonly device: number; readonly path: string }
  | { readonly deed: 'move'; readonly device: number; readonly path: string; readonly to: string }
  | { readonly deed: 'look'; readonly device: number }
  | { readonly deed: 'resolve'; readonly keep: 'server' | 'client' | 'both' }

const device = fc.nat(2)
const path = fc.constantFrom(...PATHS)
const deeds = fc.array(
  fc.oneof(
    fc.record({ deed: fc.constant('write' as const), device, path, digit: fc.constantFrom(...DIGITS) }),
    fc.record({ deed: fc.constant('delete' as const), device, path }),
    fc.record({ deed: fc.constant('move' as const), device, path, to: path }),
    fc.record({ deed: fc.constant('look' as const), device }),
    fc.record({ deed: fc.constant('resolve' as const), keep: fc.constantFrom('server', 'client', 'both') })
  ),
  { maxLength: 60 }
) as fc.Arbitrary<Deed[]>

/** Where a content can still be found: at a path, or as a side of an open conflict. */
function findable(account: Account): Set<string> {
  const sides = account.views
    .range('conflicts', [], '', 1_000)
    .flatMap(([, { client, resolvedAtUs }]) => (client === null || resolvedAtUs !== undefined ? [] : [client.sha256[0]!]))
  return new Set([...Object.values(live(account)), ...sides])
}

/**
 * The model knows nothing of conflicts: a content that somebody wrote goes only when somebody who saw it there replaced or deleted it, or when a resolution
 * chose another side.
 */
test('whatever three devices report, no content goes that nobody meant to go, and nothing is overwritten unseen', async () => {
  await fc.assert(
    fc.asyncProperty(deeds, async all => {
      const core = coreHub()
      const { account, devices } = await core.account('d0', 'd1', 'd2')
      for (const digit of DIGITS) await holdContent(account, 'd0', hashOf(digit), 1)
      /** What each device last saw at each path of the hub's. */
      const seen = [new Map<string, string>(), new Map<string, string>(), new Map<string, string>()]
      for (const done of all) {
        const before = { live: live(account), findable: findable(account) }
        /** What may go by this deed: at a path, and only what is named. */
        const mayGo = new Set<string>()
        if (done.deed === 'look') {
          seen[done.device] = new Map(Object.entries(before.live))
          continue
        }
        if (done.deed === 'resolve') {
          const [open] = account.views.range('conflicts', [], '', 1_000).filter(([, known]) => known.resolvedAtUs === undefined)
          if (open === undefined) continue
          const [id, { client, path: at }] = open
          const there = before.live[at]
          if (done.keep === 'server' && client !== null) mayGo.add(client.sha256[0]!)
          if (done.keep === 'client' && there !== undefined) mayGo.add(there)
          await account.perform(new Origin(devices['d0']!.device, ''), 'conflict.resolve', id, { keep: done.keep }).catch(() => 0)
        } else {
          const mine = seen[done.device]!
          const base = mine.get(done.path)
          if (base !== undefined) mayGo.add(base)
          const change: LocalChange | undefined =
            done.deed === 'write'
              ? {
                  change: 'put',
                  path: done.path,
                  content: content(done.digit),
                  ...(base !== undefined && { base: hashOf(base) })
                }
              : base === undefined
                ? undefined
                : done.deed === 'delete'
                  ? { change: 'deleted', path: done.path, base: hashOf(base) }
                  : { change: 'moved', path: done.to, from: done.path, content: content(base), base: hashOf(base) }
          if (change === undefined) continue
          const origin = new Origin(devices[`d${done.device}`]!.device, '')
          const [reported] = await report(account, origin, [change], core.clock)
          const after = live(account)
          for (const [at, digit] of Object.entries(before.live))
            if (after[at] !== digit) assert.ok(at === done.path && base === digit, `${at} was changed by who had not seen it`)
          if (done.deed === 'write' && reported!.result !== 'refused') {
            assert.ok(findable(account).has(done.digit), 'what was written is nowhere')
            if (reported!.result === 'accepted' || reported!.result === 'already-known') mine.set(done.path, done.digit)
          }
        }
        const now = findable(account)
        for (const digit of before.findable)
          if (!now.has(digit)) assert.ok(mayGo.has(digit), `${digit} is gone by ${JSON.stringify(done)}`)
        // Whatever went can be had again.
        for (const digit of before.findable) assert.ok(account.views.get('contents', hashOf(digit)) !== undefined)
      }
      account.storeRecords()
      await account.settled()
      const wrong: string[] = []
      await checkAccount(core.store, account.id, what => wrong.push(what))
      assert.equal(wrong, [])
    }),
    { numRuns: 300 }
  )
})

test('what was a conflict while its file was removed is put there by who knows that nothing is there', async () => {
  const { account, tell } = await holding('a', 'b')
  await tell({ change: 'put', path: 'x', content: content('a') })
  await tell({ change: 'deleted', path: 'x', base: hashOf('a') })
  const change: LocalChange = { change: 'put', path: 'x', content: content('b'), base: hashOf('a') }
  const first = await tell(change)
  assert.equal([first.result, await tell(change)], ['conflict', first])
  assert.is((await tell({ change: 'put', path: 'x', content: content('b') })).result, 'accepted')
  assert.equal(live(account), { x: 'b' })
})

test('a report about what is known leaves turns for others', async () => {
  const { tell, tellAll } = await holding('a', 'b')
  await tell({ change: 'put', path: 'x', content: content('a') })
  const change: LocalChange = { change: 'put', path: 'x', content: content('b') }
  const known = await tell(change)
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns += 1
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const reported = await tellAll(Array.from({ length: 1_000 }, () => change))
  isDone = true
  assert.equal(
    reported,
    Array.from({ length: 1_000 }, () => known)
  )
  assert.ok(turns >= 1_000 / 20, `${turns} turns`)
})

test('a move that is refused takes nothing from where the file was', async () => {
  const { account, tell } = await holding('a', 'b')
  await tell({ change: 'put', path: 'x', content: content('a') })
  await tell({ change: 'put', path: 'f', content: content('a') })
  const refused: readonly [path: string, sizeBytes: number, code: string][] = [
    ['f/x', 1, 'already-exists'],
    ['y', 2, 'bad-action']
  ]
  for (const [path, sizeBytes, code] of refused) {
    const to = { sha256: hashOf('b'), sizeBytes }
    const reported = await tell({ change: 'moved', path, from: 'x', content: to, base: hashOf('a') })
    assert.is(reported.result === 'refused' && reported.code, code)
  }
  assert.equal(live(account), { f: 'a', x: 'a' })
})

test.run()
