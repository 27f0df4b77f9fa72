import * as fc from 'fast-check'
import { decodeFrame, encodeFrame, HubError, LIMITS, type Plain } from '../../protocol/index.ts'
import { Outbox } from '../../client/outbox.ts'
import { MemoryStorage } from '../../client/storage.ts'
import { ManualClock } from '../util/manual-clock.ts'
import { suite } from '../util/suite.ts'

const test = suite('client/outbox')

/** Much that takes few bytes, and keys that keep room, which count for more values than they have bytes. */
const value = fc.letrec<{ value: Plain }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(1),
    fc.string({ maxLength: 30 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.dictionary(fc.nat({ max: 3_400 }).map(String), tie('value'), { minKeys: 1, maxKeys: 3, noNullPrototype: true })
  )
})).value

test('whatever the outbox takes, the hub takes each push of it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 40 }), async values => {
      const outbox = await Outbox.load(new MemoryStorage(), new ManualClock())
      for (const value of values)
        try {
          outbox.add('setting.put', 's', { value })
        } catch (error) {
          if (!(error instanceof HubError)) throw error
        }
      await outbox.save()
      for (let actions = outbox.take(LIMITS); actions.length > 0; actions = outbox.take(LIMITS))
        decodeFrame(encodeFrame('push', { confirmed: 0, actions }), 'client')
    })
  )
})

test.run()
