import * as assert from 'uvu/assert'
import { socketIoHub } from '../../util/socket-io-hub.ts'
import { socketIoWire } from '../../util/socket-io-wire.ts'
import { suite } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'

const test = suite('server/transports/socket-io-upgrade', { limitMs: 120_000 })

const ROUNDS = 25
/** Actions that await their answers at any time. */
const OPEN = 8

/** Pushes one setting after the other, with no pause, until told to stop. */
class Pusher {
  readonly accepted = new Map<number, number>()
  readonly #client: WireClient
  #next = 1
  #isStopping = false
  #wakers: (() => void)[] = []

  constructor(client: WireClient) {
    this.#client = client
    client.onFrame = frame => {
      if (frame.kind !== 'acked') return
      assert.equal(frame.refused, [])
      for (const [number, cursor] of frame.accepted) {
        assert.not(this.accepted.has(number), `${number} was answered twice`)
        this.accepted.set(number, cursor)
        if (!this.#isStopping) this.#push()
      }
      for (const waker of this.#wakers.splice(0)) waker()
    }
    for (let index = 0; index < OPEN; index++) this.#push()
  }

  /** Waits for so many answers. */
  async answered(count: number): Promise<void> {
    while (this.accepted.size < count) await new Promise<void>(resolve => this.#wakers.push(resolve))
  }

  /** @returns how many were pushed, and answered */
  async stop(): Promise<number> {
    this.#isStopping = true
    await this.answered(this.#next - 1)
    return this.#next - 1
  }

  #push(): void {
    const number = this.#next++
    // Some are longer than a packet of the network.
    const value = 'x'.repeat(number % 10 === 0 ? 5_000 : 20)
    this.#client.send('push', { confirmed: 0, actions: [[number, 0, 'setting.put', 'busy', { value }]] })
  }
}

for (const way of ['upgrade', 'upgrade with msgpack'] as const)
  test(`${way}: going over from polling to a WebSocket in mid-stream loses and doubles nothing`, async context => {
    let mayUpgrade = Promise.resolve()
    const hub = await socketIoHub(context, {}, () => mayUpgrade)
    const { devices } = await hub.account('device', 'writer')
    const writer = new WireClient(socketIoWire('websocket'))
    context.defer(() => writer.close())
    await writer.connect(hub.url, devices.writer!.token)
    const busy = new Pusher(writer)
    for (let round = 1; round <= ROUNDS; round++) {
      let allow: () => void = () => undefined
      mayUpgrade = new Promise(resolve => (allow = resolve))
      let transport: () => string = () => ''
      const client = new WireClient(socketIoWire(way, socket => (transport = () => socket.io.engine.transport.name)))
      context.defer(() => client.close())
      // What it reads is checked change by change: each follows the one before.
      await client.connect(hub.url, devices.device!.token, `round ${round}`)
      const own = new Pusher(client)
      await own.answered(round)
      assert.is(transport(), 'polling')
      allow()
      while (transport() === 'polling') await own.answered(own.accepted.size + 1)
      await own.answered(own.accepted.size + 20)
      const count = await own.stop()
      await client.upTo(Math.max(...own.accepted.values()))
      const numbers = client.changes.filter(([, , , name]) => name === `round ${round}`).map(([, , , , number]) => number)
      assert.equal(
        numbers,
        Array.from({ length: count }, (_, index) => index + 1)
      )
      client.close()
    }
    await busy.stop()
  })

test.run()
