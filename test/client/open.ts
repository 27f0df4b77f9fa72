import { connect, type Client, type ClientStorage } from '../../client/index.ts'
import { MemoryStorage } from '../../client/storage.ts'
import type { TestContext } from '../util/suite.ts'
import type { FakeHub } from './fake-hub.ts'
import { ManualClock } from '../util/manual-clock.ts'

export interface Opened {
  readonly client: Client
  readonly clock: ManualClock
  readonly storage: ClientStorage
  /** What came as `error`. */
  readonly errors: Error[]
}

/** A client of a fake hub, on a clock that the test moves. It is closed with the test. */
export async function open(
  context: TestContext,
  hub: FakeHub,
  {
    token = 'phone',
    clock = new ManualClock(),
    storage = new MemoryStorage()
  }: { token?: string; clock?: ManualClock; storage?: ClientStorage } = {}
): Promise<Opened> {
  const client = await connect({ token, storage, clock, dial: hub.dial })
  const errors: Error[] = []
  client.on('error', error => errors.push(error))
  context.defer(() => client.close())
  return { client, clock, storage, errors }
}

/** Moves the clock little by little until the client is live again. */
export async function comeBack({ client, clock }: Pick<Opened, 'client' | 'clock'>): Promise<void> {
  while (client.state !== 'live') {
    clock.advance(100)
    await quiet(3)
  }
}

/** Lets everything run that is under way between two ends in memory. */
export async function quiet(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve))
}
