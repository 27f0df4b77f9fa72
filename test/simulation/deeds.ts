import { revokeDevice } from '../../server/auth/devices.ts'
import type { Random } from '../util/random.ts'
import type { App } from './clients/app.ts'
import type { World } from './world/world.ts'

interface Deed {
  /** How often it is chosen, beside the others. */
  readonly weight: number
  /** True for what a seed may leave out. */
  readonly isTrouble: boolean
  readonly does: (world: World, app: App, random: Random) => void
}

const work = (weight: number, does: Deed['does']): Deed => ({ weight, isTrouble: false, does })
const trouble = (weight: number, does: Deed['does']): Deed => ({ weight, isTrouble: true, does })

/** Mostly short, at times long. */
const spanMs = (random: Random): number => random.pick([50, 500, 5_000, 20_000, 70_000]) * random.next()

/** Everything that is done in a world, to it or by its clients. */
export const DEEDS = {
  act: work(14, (_, app, random) => app.act(random)),
  burst: work(3, (_, app, random) => {
    for (let count = 2 + random.below(20); count > 0; count--) app.act(random)
  }),
  read: work(1, (_, app, random) => app.read(random)),

  repeat: trouble(3, (_, app, random) => app.repeat(random, false)),
  'repeat with other content': trouble(2, (_, app, random) => app.repeat(random, true)),
  misspeak: trouble(2, (_, app, random) => app.misspeak(random)),
  misplace: trouble(1, (_, app, random) => app.misplace(random)),

  cut: trouble(3, (_, app) => {
    for (const line of app.lines) line.cut()
  }),
  'cut unnoticed': trouble(2, (_, app) => {
    for (const line of app.lines) line.kill()
  }),
  stall: trouble(3, (_, app, random) => {
    const forMs = spanMs(random)
    for (const line of app.lines) line.stall(forMs)
  }),
  'go offline': trouble(2, (world, app, random) => {
    app.isOffline = true
    const forMs = spanMs(random)
    for (const line of app.lines) {
      if (random.chance(0.5)) line.kill()
      else line.stall(forMs)
    }
    world.loop.after(forMs, world.life, () => {
      app.isOffline = false
    })
  }),
  'stop reading': trouble(3, (world, app, random) => {
    for (const line of app.lines) {
      line.client.isStuck = true
      world.loop.after(spanMs(random), world.life, () => {
        line.client.isStuck = false
      })
    }
  }),
  'partition the hub': trouble(1, (world, _, random) => {
    const forMs = spanMs(random)
    for (const line of world.hub?.lines ?? []) line.stall(forMs)
  }),

  'app crashes': trouble(2, crashApp),
  'app crashes in a write': trouble(2, (world, app, random) => app.inNextWrite(() => crashApp(world, app, random))),
  'app is opened again': trouble(1, (_, app) => app.reopen()),
  'app is copied': trouble(2, (_, app) => app.copy()),
  'app is restored from its copy': trouble(2, (world, app, random) => {
    app.restore()
    world.loop.after(spanMs(random), world.life, () => world.present.includes(app) && app.start())
  }),
  'device is full': trouble(1, (world, app, random) => {
    app.failures = 0.5
    world.loop.after(spanMs(random), world.life, () => {
      app.failures = 0
    })
  }),
  'app clock steps': trouble(1, (_, app, random) => {
    app.wall.offMs += Math.floor((random.next() - 0.5) * 1_000_000)
  }),

  'hub crashes': trouble(2, (world, _, random) => crashHub(world, random)),
  'hub crashes in a commit': trouble(3, (world, _, random) => world.disk.inNextWrite(() => crashHub(world, random))),
  'hub restarts': trouble(2, (world, _, random) => void world.restartHub(spanMs(random) / 4)),
  'hub clock steps': trouble(2, (world, _, random) => {
    world.wall.offMs += Math.floor((random.next() - 0.5) * random.pick([2_000, 7_200_000, 400_000_000, 8_000_000_000]))
  }),
  'records are stored': trouble(2, (world, app) => {
    void world.account(app.party.account).then(account => account?.storeRecords())
  }),
  'log is compacted': trouble(4, (world, app) => void compact(world, app)),
  'device is revoked': trouble(1, (world, app) => void revoke(world, app)),
  'network changes': trouble(1, (world, _, random) => {
    world.network.weather = { ...world.network.weather, latencyMs: random.pick([1, 50, 500, 5_000]) }
  })
} as const satisfies Record<string, Deed>

export type DeedName = keyof typeof DEEDS

function crashApp({ loop, life, present }: World, app: App, random: Random): void {
  app.crash()
  loop.after(spanMs(random), life, () => present.includes(app) && app.start())
}

function crashHub(world: World, random: Random): void {
  world.crashHub(random.chance(0.7))
  world.loop.after(spanMs(random) / 4, world.life, () => void world.startHub())
}

/** Lets go of as much of the log as may go. What fails by itself is a fault of the hub. */
async function compact({ hub, history }: World, { party: { account } }: App): Promise<void> {
  if (hub === undefined) return
  try {
    await hub.hub.compact(account)
  } catch (error) {
    if (!hub.life.isOver) history.add({ is: 'fault', what: `compaction failed: ${(error as Error).stack}` })
  }
}

async function revoke({ hub, history }: World, { party: { account, device } }: App): Promise<void> {
  const opened = await hub?.hub.account(account)
  if (opened === undefined || hub?.life.isOver === true) return
  history.add({ is: 'revoking', account, device })
  await revokeDevice(opened, device)
  history.add({ is: 'revoked', account, device })
}
