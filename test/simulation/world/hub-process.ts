import { authenticateToken } from '../../../server/auth/devices.ts'
import { Hub } from '../../../server/core/hub.ts'
import type { HubConnection, Logger } from '../../../server/core/ports.ts'
import type { Store } from '../../../server/core/store.ts'
import type { Random } from '../../util/random.ts'
import { SeededHubClock, type WallClock } from './clocks.ts'
import type { Disk } from './disk.ts'
import { Life, type Loop } from './loop.ts'
import type { Line } from './network.ts'

/** What stands between the hub and the world; planted faults put theirs in between. */
export interface Ports {
  readonly store: (store: Store) => Store
  readonly connection: (connection: HubConnection) => HubConnection
}

export interface HubParts {
  readonly loop: Loop
  readonly disk: Disk
  readonly wall: WallClock
  readonly random: Random
  readonly ports: Ports
  /** Something that the hub itself calls a failure. */
  readonly onFault: (what: string) => void
}

/** One process of the hub, from its start to its end. */
export class HubProcess {
  readonly life: Life
  readonly clock: SeededHubClock
  readonly store: Store
  readonly hub: Hub
  readonly #parts: HubParts
  readonly #lines = new Set<Line>()
  isClosing = false

  private constructor(life: Life, store: Store, parts: HubParts) {
    const { loop, wall, random, ports, onFault } = parts
    this.life = life
    this.#parts = parts
    this.clock = new SeededHubClock(loop, this.life, wall, random)
    this.store = ports.store(store)
    this.hub = new Hub({
      store: this.store,
      clock: this.clock,
      logger: loggerTo(onFault),
      randomBytes: count => Uint8Array.from({ length: count }, () => random.below(256)),
      authenticate: authenticateToken,
      maxSessions: 1_000,
      onFailure: error => onFault(`the hub gave up: ${String(error)}`)
    })
  }

  static async start(parts: HubParts): Promise<HubProcess> {
    const life = new Life()
    return new HubProcess(life, await parts.disk.open(life), parts)
  }

  /** Takes a connection that has reached this machine. */
  accept(line: Line): void {
    this.#lines.add(line)
    this.hub.accept(this.#parts.ports.connection(line.hub))
  }

  get lines(): ReadonlySet<Line> {
    return this.#lines
  }

  /** The process ends here and now. @param isTold false when the machine went with it, so that nobody hears of it */
  kill(isTold: boolean): void {
    if (this.life.isOver) return
    this.life.isOver = true
    this.#parts.disk.crash()
    for (const line of this.#lines) line.hub.abandon(isTold)
  }

  /** Ends it as an operator would. */
  async close(): Promise<void> {
    this.isClosing = true
    await this.hub.close()
  }
}

const loggerTo = (onFault: (what: string) => void): Logger => ({
  debug() {},
  info() {},
  warn: (fields, message) => onFault(describe(fields, message)),
  error: (fields, message) => onFault(describe(fields, message))
})

const describe = (fields: object, message: string): string => {
  const { err } = fields as { err?: unknown }
  return `${message}: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`
}
