import * as assert from 'uvu/assert'
import { checkFolder } from '../../server/check.ts'
import { HubProcess } from './hub-process.ts'
import { Random } from './random.ts'
import type { TestContext } from './suite.ts'
import { newId, type ActionBody, type SentAction, type TimeLimitDevice } from './timelimit-client.ts'
import { codeOf, newFamily, timelimitHubAt, type Family } from './timelimit-hub.ts'

const DAYS = [20_000, 20_001]

/** What the effects of all valid actions come to, each once. */
interface Expected {
  /** By category and day. */
  readonly usedMs: Map<string, number>
  readonly sessionMs: Map<string, number>
  readonly extraMs: Map<string, number>
  readonly rules: Map<string, Set<string>>
  readonly apps: Map<string, Set<string>>
}

/** What a story came to. */
export interface StoryFigures {
  readonly actions: number
  readonly refused: number
  readonly repeats: number
  readonly kills: number
}

/**
 * Devices of one family push random actions, valid and not, alone and in batches, each batch until it was answered; they send earlier batches again, and pull
 * now and then, while the hub is killed under them. At the end of each round every device holds what a new one is told, and that each valid action took
 * effect once and no other did; at the end, that the stored records are what the log folds into.
 *
 * @param kills in each round, at moments that the seed picks by counting requests
 */
export async function householdStory(
  { defer }: TestContext,
  { seed, rounds, kills, deviceCount = 4, batches = 12 }: StoryOptions
): Promise<StoryFigures> {
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const family = await newFamily(timelimitHubAt(hub.url, mail => codeOf(hub.dataFolder, mail)))
  const story = new Story(hub, family, new Random(seed))
  await story.prepare(deviceCount)
  for (let round = 0; round < rounds; round++) await story.round(batches, kills)
  await hub.kill('SIGTERM')
  assert.equal((await checkFolder(hub.dataFolder)).findings, [], 'the records are what the log folds into')
  await hub.start()
  await story.compare()
  return story.figures
}

export interface StoryOptions {
  readonly seed: number
  readonly rounds: number
  readonly kills: number
  readonly deviceCount?: number
  readonly batches?: number
}

class Story {
  readonly figures = { actions: 0, refused: 0, repeats: 0, kills: 0 }
  readonly #hub: HubProcess
  readonly #family: Family
  readonly #random: Random
  readonly #devices: TimeLimitDevice[] = []
  readonly #categories: string[] = []
  readonly #sent = new Map<TimeLimitDevice, SentAction[][]>()
  readonly #expected: Expected = {
    usedMs: new Map(),
    sessionMs: new Map(),
    extraMs: new Map(),
    rules: new Map(),
    apps: new Map()
  }
  /** Requests until the next kill. */
  #untilKill = Infinity
  #killsLeft = 0
  #up: Promise<unknown> = Promise.resolve()

  constructor(hub: HubProcess, family: Family, random: Random) {
    this.#hub = hub
    this.#family = family
    this.#random = random
  }

  async prepare(deviceCount: number): Promise<void> {
    const { device, parent } = this.#family
    this.#devices.push(device)
    while (this.#devices.length < deviceCount) this.#devices.push(await this.#family.join())
    const childId = newId()
    const added = { type: 'ADD_USER', name: 'Kim', userType: 'child', userId: childId, timeZone: 'Europe/Berlin' }
    await device.act(device.parent(parent, added))
    for (let count = 0; count < 3; count++) {
      const categoryId = newId()
      this.#categories.push(categoryId)
      await device.act(device.parent(parent, { type: 'CREATE_CATEGORY', childId, categoryId, title: 'games' }))
    }
  }

  async round(batches: number, kills: number): Promise<void> {
    this.#killsLeft = kills
    this.#aim()
    await Promise.all(this.#devices.map(device => this.#live(device, batches)))
    this.#untilKill = Infinity
    await this.compare()
  }

  /** Every device holds what a new one is told, and that is what the valid actions come to. */
  async compare(): Promise<void> {
    const whole = await this.#devices[0]!.pullAll()
    for (const device of this.#devices) {
      await device.pull()
      assert.equal(device.mirror.state(), whole.state())
    }
    const { usedMs, sessionMs, extraMs, rules, apps } = this.#expected
    for (const id of this.#categories) {
      for (const day of DAYS)
        assert.is(whole.times(id).find(found => found.day === day)?.time ?? 0, usedMs.get(`${id}/${day}`) ?? 0, 'used time')
      const [session] = whole.categories.get(id)!.usedTime.sessionDurations
      assert.is(session?.d ?? 0, sessionMs.get(id) ?? 0, 'session')
      assert.is(whole.base(id).extraTime, extraMs.get(id) ?? 0, 'extra time')
      assert.equal(new Set(whole.rules(id).map(rule => rule.id)), rules.get(id) ?? new Set(), 'rules')
      assert.equal(new Set(whole.categories.get(id)!.apps.apps), apps.get(id) ?? new Set(), 'apps')
    }
  }

  /** One device's share of a round. */
  async #live(device: TimeLimitDevice, batches: number): Promise<void> {
    const random = this.#random
    const sent = this.#sent.get(device) ?? []
    this.#sent.set(device, sent)
    for (let batch = 0; batch < batches; batch++) {
      const actions = Array.from({ length: 1 + random.below(random.chance(0.1) ? 50 : 6) }, () => this.#action(device))
      // Now and then twice at once.
      const pushes = [this.#push(device, actions)]
      if (random.chance(0.2)) pushes.push(this.#push(device, actions))
      await Promise.all(pushes)
      sent.push(actions)
      if (random.chance(0.3)) {
        const again = random.pick(sent)
        this.figures.repeats += again.length
        assert.is(await this.#push(device, again), true, 'a repeat asks for a full sync')
      }
      if (random.chance(0.4)) await this.#untilAnswered(() => device.pull())
    }
  }

  async #push(device: TimeLimitDevice, actions: readonly SentAction[]): Promise<boolean> {
    const doesFullSync = await this.#untilAnswered(() => device.push(...actions))
    if (doesFullSync) device.mirror.forgetVersions()
    return doesFullSync
  }

  /** Asks until there is an answer, as often as the hub is killed meanwhile. */
  async #untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#up
      if (--this.#untilKill === 0) this.#kill()
      try {
        return await ask()
      } catch (error) {
        // fetch fails so when the connection does.
        if (!(error instanceof TypeError)) throw error
      }
    }
  }

  /** Kills the hub while requests are under way, and starts it again. */
  #kill(): void {
    this.figures.kills += 1
    this.#killsLeft -= 1
    // The request that it is killed for, and those of others, have left by then.
    this.#up = new Promise(resolve => setImmediate(resolve))
      .then(() => this.#hub.kill())
      .then(() => this.#hub.start())
      .then(() => this.#aim())
  }

  #aim(): void {
    this.#untilKill = this.#killsLeft > 0 ? 3 + this.#random.below(20) : Infinity
  }

  /** A random action of this device. What a valid one is to come to is noted. */
  #action(device: TimeLimitDevice): SentAction {
    this.figures.actions += 1
    const random = this.#random
    const categoryId = random.pick(this.#categories)
    const amount = 1 + random.below(1_000)
    const { usedMs, sessionMs, extraMs, rules, apps } = this.#expected
    const add = (to: Map<string, number>, name: string): void => void to.set(name, (to.get(name) ?? 0) + amount)
    const put = (to: Map<string, Set<string>>, value: string): string => {
      to.set(categoryId, (to.get(categoryId) ?? new Set()).add(value))
      return value
    }
    const parent = (body: ActionBody): SentAction =>
      device.parent(this.#family.parent, body, random.chance(0.5) ? 'sha512' : 'password')
    const day = random.pick(DAYS)
    if (random.chance(0.25)) return this.#refused(device, categoryId)
    switch (random.below(6)) {
      case 0:
        add(usedMs, `${categoryId}/${day}`)
        return device.appLogic({ type: 'ADD_USED_TIME', categoryId, day, timeToAdd: amount, extraTimeToSubtract: 0 })
      case 1: {
        add(usedMs, `${categoryId}/${day}`)
        add(sessionMs, categoryId)
        const item = { categoryId, tta: amount, etts: 0, sdl: [[0, 1_439, 600_000, 300_000]] }
        return device.appLogic({ type: 'ADD_USED_TIME_V2', d: day, i: [item] })
      }
      case 2:
        add(extraMs, categoryId)
        return parent({ type: 'INCREMENT_CATEGORY_EXTRATIME', categoryId, addedExtraTime: amount })
      case 3: {
        const rule = { ruleId: put(rules, newId()), categoryId, time: amount, days: 127, extraTime: false }
        return parent({ type: 'CREATE_TIMELIMIT_RULE', rule })
      }
      case 4:
        return parent({ type: 'ADD_CATEGORY_APPS', categoryId, packageNames: [put(apps, `org.${newId()}`)] })
      default:
        return parent({ type: 'UPDATE_CATEGORY_TITLE', categoryId, newTitle: newId() })
    }
  }

  /** A random action that is refused, and would be seen. */
  #refused(device: TimeLimitDevice, categoryId: string): SentAction {
    this.figures.refused += 1
    const valid = { type: 'ADD_USED_TIME', categoryId, day: DAYS[0]!, timeToAdd: 50_000_000, extraTimeToSubtract: 0 }
    const rule = { ruleId: newId(), categoryId, time: 1, days: 127, extraTime: false }
    const stolen = device.parent(this.#family.parent, { type: 'CREATE_TIMELIMIT_RULE', rule })
    // A number that is made and not sent is a gap.
    return this.#random.pick<() => SentAction>([
      () => device.appLogic({ ...valid, categoryId: newId() }),
      () => device.appLogic({ ...valid, more: 1 }),
      () => device.appLogic({ ...valid, timeToAdd: -1 }),
      () => device.appLogic({ ...valid, day: 1.5 }),
      () => ({ ...device.appLogic(valid), encodedAction: '{"type"' }),
      () => device.child(this.#family.parent, valid),
      () => ({ ...stolen, integrity: '' }),
      () => ({ ...stolen, integrity: 'device' }),
      () => ({ ...stolen, encodedAction: stolen.encodedAction.replace('127', '126') })
    ])()
  }
}
