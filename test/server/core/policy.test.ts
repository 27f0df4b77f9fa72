import * as assert from 'uvu/assert'
import { HubError, LIMITS } from '../../../protocol/index.ts'
import { ACTORS, LEAST_ACTOR, mustHaveRoomForDevice, permits, type Verb } from '../../../server/core/policy.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { Views } from '../../../server/core/views.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/policy')

/** The records of an account with so many devices, of which some were cut off. */
function withDevices(count: number, revoked: number): Views {
  const views = new Views(new MemoryStore(), 'ada')
  for (let index = 0; index < count; index++)
    views.put('devices', [`d${String(index).padStart(6, '0')}`], {
      name: 'a device',
      app: '',
      readOnly: false,
      secretHash: new Uint8Array(32),
      revoked: index < revoked,
      registeredAtUs: 1,
      cursor: index + 1
    })
  return views
}

function refusalOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return (error as HubError).code
  }
}

test('an account has room for so many devices; those that were cut off take none, and one that it has can always change', () => {
  const full = withDevices(LIMITS.maxDevices + 10, 10)
  assert.is(
    refusalOf(() => mustHaveRoomForDevice(full, 'new')),
    'quota-exceeded'
  )
  assert.is(
    refusalOf(() => mustHaveRoomForDevice(full, 'd000042')),
    undefined
  )
  assert.is(
    refusalOf(() => mustHaveRoomForDevice(withDevices(LIMITS.maxDevices + 10, 11), 'new')),
    undefined
  )
})

test('rights rise from actor to actor', () => {
  for (const verb of Object.keys(LEAST_ACTOR) as Verb[]) {
    const allowed = ACTORS.map(actor => permits(actor, verb))
    assert.not.match(allowed.join(' '), 'true false', verb)
    assert.ok(permits('operator', verb))
  }
})

test.run()
