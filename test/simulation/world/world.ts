import { registerDevice } from '../../../server/auth/devices.ts'
import type { Account } from '../../../server/core/account.ts'
import { holdContent } from '../../../server/core/files/contents.ts'
import type { App } from '../clients/app.ts'
import { FILE_CONTENTS } from '../clients/contents.ts'
import { SdkApp } from '../clients/sdk-app.ts'
import { WireApp } from '../clients/wire-app.ts'
import { History } from '../history.ts'
import { streamOf, type Plan } from '../plan.ts'
import { WallClock } from './clocks.ts'
import { Disk } from './disk.ts'
import { HubProcess, type Ports } from './hub-process.ts'
import { Life, Loop } from './loop.ts'
import { Network, type LineEnd } from './network.ts'

/** What planted faults put between the parts; nothing by default. */
export const NO_PORTS: Ports = { store: store => store, connection: connection => connection }

/** One hub, its disk, and the clients of several accounts, on one clock and one stream of chance. */
export class World {
  readonly loop = new Loop()
  readonly history: History
  readonly network: Network
  readonly disk: Disk
  /** The hub's machine. */
  readonly wall: WallClock
  readonly plan: Plan
  readonly apps: App[] = []
  readonly tokens = new Map<string, string>()
  /** Ends when the run does. */
  readonly life = new Life()
  #hub: HubProcess | undefined
  #isStarting = false
  readonly #ports: Ports

  constructor(plan: Plan, ports: Ports) {
    const { seed, weather, disk, clockOffMs } = plan
    const { loop } = this
    const history = new History(() => loop.nowMs, weather.weight)
    this.history = history
    this.plan = plan
    this.#ports = ports
    this.wall = new WallClock(loop, clockOffMs)
    this.network = new Network(loop, streamOf(seed, 'network'), weather, {
      sent: (session, from, bytes, bufferedBytes) => history.frame('sent', session, from, bytes, bufferedBytes),
      arrived: (session, at, bytes) => history.frame('arrived', session, at === 'hub' ? 'client' : 'hub', bytes, 0),
      closed: (session, at, { code }) => history.add({ is: 'closed', session, at, code })
    })
    this.disk = new Disk(loop, streamOf(seed, 'disk'), disk, write => {
      if ('trimmed' in write) history.add({ is: 'trimmed', account: write.trimmed, floor: write.floor })
      else history.flushed(write)
    })
  }

  /** The hub's process, while one runs. */
  get hub(): HubProcess | undefined {
    return this.#hub
  }

  get accounts(): string[] {
    return [...new Set(this.plan.clients.map(({ account }) => account))]
  }

  booksOf(account: string): string[] {
    return [0, 1, 2].map(index => `${account}:b${index}`)
  }

  /** Makes the accounts, the devices and the clients. Every account gets an observer that nobody revokes. */
  async open(): Promise<void> {
    await this.during(this.startHub())
    const { seed, clients } = this.plan
    const devices = new Map<string, { device: string; token: string }>()
    for (const name of [
      ...clients.map(({ account, device }) => `${account} ${device}`),
      ...this.accounts.map(account => `${account} observer`)
    ])
      if (!devices.has(name)) devices.set(name, await this.during(this.#register(name)))
    for (const account of this.accounts)
      await this.during(this.#holdContents(account, devices.get(`${account} observer`)!.device))
    for (const account of this.accounts) this.tokens.set(account, devices.get(`${account} observer`)!.token)
    for (const [index, { account, device, kind, clockOffMs }] of clients.entries()) {
      const { device: id, token } = devices.get(`${account} ${device}`)!
      const random = streamOf(seed, `client ${index}`)
      const owner = { account, device: id }
      this.apps.push(
        kind === 'sdk'
          ? new SdkApp(this, owner, token, random, clockOffMs)
          : new WireApp(this, { ...owner, client: `wire${index}` }, token, random, clockOffMs)
      )
    }
    for (const app of this.present) app.start()
  }

  /** The clients that take part. */
  get present(): App[] {
    return this.apps.filter((_, index) => !this.plan.without.includes(index))
  }

  /** Starts the hub on what the disk holds, if it does not run. */
  async startHub(): Promise<void> {
    if (this.#hub !== undefined || this.#isStarting) return
    this.#isStarting = true
    const { loop, disk, wall, history, plan } = this
    this.#hub = await HubProcess.start({
      loop,
      disk,
      wall,
      random: streamOf(plan.seed, `hub ${loop.steps}`),
      ports: this.#ports,
      onFault: what => history.add({ is: 'fault', what })
    })
    this.#isStarting = false
    history.add({ is: 'hub', did: 'start' })
  }

  /** The hub's process ends here and now. */
  crashHub(isTold: boolean): void {
    if (this.#hub === undefined) return
    this.history.add({ is: 'hub', did: this.disk.isBusy ? 'crash in a commit' : 'crash' })
    this.#hub.kill(isTold)
    this.#hub = undefined
  }

  /** Stops the hub as an operator would, and starts it again. */
  async restartHub(downMs: number): Promise<void> {
    const hub = this.#hub
    if (hub === undefined || hub.isClosing) return
    this.history.add({ is: 'hub', did: 'close' })
    await hub.close()
    if (this.#hub !== hub) return
    this.history.add({ is: 'hub', did: 'closed' })
    hub.kill(true)
    this.#hub = undefined
    this.loop.after(downMs, this.life, () => void this.startHub())
  }

  /** An app's way to the hub: a connection, which may turn out to lead nowhere. */
  dial(app: App): LineEnd {
    const line = this.network.open()
    this.history.dialled(line.session, app.party)
    for (let index = app.lines.length - 1; index >= 0; index--) if (app.lines[index]!.isOver) app.lines.splice(index, 1)
    app.lines.push(line)
    const hub = this.#hub
    if (app.isOffline || hub === undefined || hub.isClosing) {
      line.hub.abandon(true)
      return line.client
    }
    // Whoever finds nobody at the door is told so.
    this.loop.after(this.network.latencyMs(), this.life, () => {
      if (hub.life.isOver) line.hub.abandon(true)
      else if (!line.hub.isFinished) hub.accept(line)
    })
    return line.client
  }

  /** An account of the running hub, for what operators do. */
  async account(id: string): Promise<Account | undefined> {
    return this.#hub?.hub.account(id)
  }

  /** Lets time pass until the promise has settled. */
  async during<T>(promise: Promise<T>, limitMs = 120_000): Promise<T> {
    const state = { isDone: false }
    const done = (): void => {
      state.isDone = true
    }
    promise.then(done, done)
    const endMs = this.loop.nowMs + limitMs
    await this.loop.runUntil(this.loop.nowMs)
    while (!state.isDone && this.loop.nowMs < endMs) await this.loop.runUntil(this.loop.nowMs + 5)
    if (!state.isDone) throw new Error(`not done within ${limitMs} ms of the world's time`)
    return promise
  }

  async #holdContents(id: string, device: string): Promise<void> {
    const account = await this.#hub!.hub.ensureAccount(id)
    for (const { sha256, sizeBytes } of FILE_CONTENTS) await holdContent(account, device, sha256, sizeBytes)
  }

  async #register(name: string): Promise<{ device: string; token: string }> {
    const [account, device] = name.split(' ') as [string, string]
    const random = streamOf(this.plan.seed, `device ${name}`)
    const opened = await this.#hub!.hub.ensureAccount(account)
    return registerDevice(opened, { name: device, app: 'simulation' }, count =>
      Uint8Array.from({ length: count }, () => random.below(256))
    )
  }
}
