import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { planFolder, type Content, type Step } from '../../../client/mirror-folder/plan.ts'
import { suite } from '../../util/suite.ts'

const PATHS = ['a', 'b', 'c', 'd/e']
const CONTENTS = ['one', 'two', 'three']

const sides = (
  local: Record<string, string>,
  base: Record<string, string>,
  hub: Record<string, string>,
  unknown: string[] = []
) => {
  const mapOf = (given: Record<string, string>): Map<string, Content> =>
    new Map(Object.entries(given).map(([path, sha256]) => [path, { sha256 }]))
  return { local: mapOf(local), base: mapOf(base), hub: mapOf(hub), isUnknown: (path: string) => unknown.includes(path) }
}

const stepsOf = (...given: Parameters<typeof sides>): readonly Step[] => planFolder(sides(...given)).steps

/** Both sides and the base in memory; whoever works on it with a plan does what the mirror does with disks and hubs. */
class World {
  readonly local = new Map<string, string>()
  readonly hub = new Map<string, string>()
  readonly base = new Map<string, string>()
  /** Every content that the hub ever had: it lets go of none. */
  readonly held = new Set<string>()
  /** What was set aside here. */
  readonly aside = new Set<string>()
  /** Every content that the person's last word on a file of the folder was. */
  readonly meant = new Set<string>()
  #copies = 0

  plan(): readonly Step[] {
    const view = (map: Map<string, string>): Map<string, Content> => new Map([...map].map(([path, sha256]) => [path, { sha256 }]))
    return planFolder({ local: view(this.local), base: view(this.base), hub: view(this.hub), isUnknown: () => false }, true).steps
  }

  do(step: Step): void {
    const { path } = step
    switch (step.kind) {
      case 'join':
        return void this.base.set(path, step.sha256)
      case 'forget':
        return void this.base.delete(path)
      case 'part':
        this.local.set(`${path} copy ${++this.#copies}`, step.sha256)
        return void this.local.delete(path)
      case 'move-here':
        assert.not(this.local.has(path), 'a move here goes over nothing')
        this.local.delete(step.from)
        this.local.set(path, step.sha256)
        this.base.delete(step.from)
        return void this.base.set(path, step.sha256)
      case 'remove-here':
        assert.is(this.local.get(path), step.sha256)
        this.aside.add(step.sha256)
        this.local.delete(path)
        return void this.base.delete(path)
      case 'move-there':
        assert.is(this.hub.get(step.from), step.sha256)
        assert.not(this.hub.has(path), 'a move at the hub goes over nothing')
        this.hub.delete(step.from)
        this.hub.set(path, step.sha256)
        this.base.delete(step.from)
        return void this.base.set(path, step.sha256)
      case 'remove-there':
        assert.is(this.hub.get(path), step.sha256)
        assert.is(this.base.get(path), step.sha256, 'only what both had is removed')
        this.hub.delete(path)
        return void this.base.delete(path)
      case 'give':
        assert.is(this.hub.get(path), step.base, 'what is given replaces what was seen')
        this.hub.set(path, step.sha256)
        this.held.add(step.sha256)
        return void this.base.set(path, step.sha256)
      case 'take':
        assert.is(this.local.get(path), step.had)
        assert.ok(step.had === undefined || this.held.has(step.had), 'nothing is overwritten that the hub does not hold')
        this.local.set(path, step.sha256)
        return void this.base.set(path, step.sha256)
    }
  }

  /** Contents that are nowhere any more. */
  lost(): string[] {
    const kept = new Set([...this.local.values(), ...this.hub.values(), ...this.held, ...this.aside])
    return [...this.meant].filter(content => !kept.has(content))
  }
}

const path = fc.constantFrom(...PATHS)
const deed = fc.oneof(
  fc.record({ who: fc.constantFrom('local', 'hub'), does: fc.constant('write'), path, content: fc.constantFrom(...CONTENTS) }),
  fc.record({ who: fc.constantFrom('local', 'hub'), does: fc.constant('remove'), path }),
  fc.record({ who: fc.constantFrom('local', 'hub'), does: fc.constant('move'), path, to: path }),
  /** Some steps of a plan are done, then the mirror is killed; `isKept` says whether its last notes were on disk. */
  fc.record({ who: fc.constant('mirror'), does: fc.constant('killed'), steps: fc.nat(6), isKept: fc.boolean() }),
  fc.record({ who: fc.constant('mirror'), does: fc.constant('forgets') })
) as fc.Arbitrary<{
  who: 'local' | 'hub' | 'mirror'
  does: string
  path: string
  to: string
  content: string
  steps: number
  isKept: boolean
}>

const test = suite('client/mirror-folder/plan')

test('whatever happens on both sides, killed or not, they become the same, and nothing is lost', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 30 }), deeds => {
      const world = new World()
      let serial = 0
      for (const { who, does, path, to, content, steps, isKept } of deeds) {
        if (does === 'forgets') world.base.clear()
        else if (who === 'mirror') {
          const noted = new Map(world.base)
          for (const step of world.plan().slice(0, steps)) world.do(step)
          if (isKept) continue
          world.base.clear()
          for (const [name, sha256] of noted) world.base.set(name, sha256)
        } else {
          const side = world[who]
          // A person who writes over a file, or removes it, means its content no more: unless the hub has it, that is not the mirror's to keep.
          const before = side.get(path)
          if (does === 'write') {
            const made = serial++ % 2 === 0 ? content : `${content} ${serial}`
            side.set(path, made)
            if (who === 'hub') world.held.add(made)
            else world.meant.add(made)
          } else if (before !== undefined && (does === 'remove' || !side.has(to))) {
            side.delete(path)
            if (does === 'move') side.set(to, before)
          }
          if (who === 'local' && before !== undefined && ![...world.local.values()].includes(before)) world.meant.delete(before)
        }
        assert.equal(world.lost(), [])
      }
      for (let round = 0; world.plan().length > 0; round++) {
        assert.ok(round < 10, 'it comes to an end')
        for (const step of world.plan()) world.do(step)
      }
      assert.equal(Object.fromEntries(world.local), Object.fromEntries(world.hub))
      assert.equal(Object.fromEntries(world.base), Object.fromEntries(world.hub))
      assert.equal(world.lost(), [])
    }),
    { numRuns: 3_000 }
  )
})

test('a mirror that has lost its notes removes nothing, on either side', () => {
  const some = fc.dictionary(path, fc.constantFrom(...CONTENTS))
  fc.assert(
    fc.property(some, some, (local, hub) => {
      const kinds = stepsOf(local, {}, hub).map(({ kind }) => kind)
      assert.not(kinds.some(kind => ['remove-here', 'remove-there', 'move-here', 'move-there', 'forget'].includes(kind)))
    })
  )
})

test('a first start joins both sides: the same content is the same file, another content at the same path makes two', () => {
  assert.equal(stepsOf({ a: 'one', b: 'mine', c: 'new' }, {}, { a: 'one', b: 'theirs', d: 'other' }), [
    { kind: 'join', path: 'a', sha256: 'one' },
    { kind: 'part', path: 'b', sha256: 'mine' },
    { kind: 'give', path: 'c', sha256: 'new' },
    { kind: 'take', path: 'd', sha256: 'other' }
  ])
})

test('a file that went from one path to another is moved, on whichever side it did', () => {
  assert.equal(stepsOf({ b: 'one' }, { a: 'one' }, { a: 'one' }), [{ kind: 'move-there', path: 'b', from: 'a', sha256: 'one' }])
  assert.equal(stepsOf({ a: 'one' }, { a: 'one' }, { b: 'one' }), [{ kind: 'move-here', path: 'b', from: 'a', sha256: 'one' }])
})

test('a change beats a removal, whichever side made it', () => {
  assert.equal(stepsOf({}, { a: 'one' }, { a: 'two' }), [{ kind: 'take', path: 'a', sha256: 'two' }])
  assert.equal(stepsOf({ a: 'two' }, { a: 'one' }, {}), [{ kind: 'give', path: 'a', sha256: 'two' }])
})

test('a path of which the folder can say nothing is left as it is', () => {
  assert.equal(stepsOf({}, { a: 'one' }, { a: 'one' }, ['a']), [])
  assert.equal(stepsOf({}, {}, { a: 'one' }, ['a']), [])
})

test('a folder that is suddenly empty removes nothing at the hub, unless a person says so', () => {
  const given = sides({}, { a: 'one', b: 'two' }, { a: 'one', b: 'two', c: 'three' })
  const { steps, held } = planFolder(given)
  assert.equal(steps, [{ kind: 'take', path: 'c', sha256: 'three' }])
  assert.is(held.length, 2)
  assert.is(planFolder(given, true).held.length, 0)
})

test('most of many files gone at once are held back, some of them are not', () => {
  const all = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`book ${index}`, `content ${index}`]))
  const left = (count: number): Record<string, string> => Object.fromEntries(Object.entries(all).slice(0, count))
  assert.is(planFolder(sides(left(24), all, all)).held.length, 26)
  assert.is(planFolder(sides(left(26), all, all)).steps.filter(({ kind }) => kind === 'remove-there').length, 24)
})

test('of ten thousand files that all went elsewhere, with one content, each is moved', () => {
  const names = (folder: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`${folder}/${index}`, 'the same']))
  const { steps } = planFolder(sides(names('new'), names('old'), names('old')))
  assert.is(steps.filter(({ kind }) => kind === 'move-there').length, 10_000)
})

test.run()
