import * as assert from 'uvu/assert'
import { createFailureLog } from '../../server/failure-log.ts'
import { coreHub } from '../util/core-hub.ts'
import { servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'

const test = suite('server/failure-log')

test('a wrong pairing code and a wrong password leave a line that says from where, and no secret', async context => {
  const hub = await servingHub(context)
  const post = (route: string, body: object): Promise<Response> =>
    fetch(`${hub.url}/api/v1/${route}`, { method: 'POST', body: JSON.stringify({ ...body, name: 'phone', app: 'test' }) })
  assert.is((await post('pair', { code: 'AAAA-AAAA' })).status, 401)
  assert.is((await post('sign-in', { account: 'ada', password: 'a secret' })).status, 401)
  const lines = hub.logger.lines.filter(({ message }) => message.startsWith('a sign-in failed'))
  assert.equal(
    lines.map(({ fields }) => fields),
    [{ remote: '127.0.0.1' }, { remote: '127.0.0.1' }]
  )
})

test('of more failures within a minute only the number is logged, at its end', () => {
  const { clock, logger } = coreHub()
  const failed = createFailureLog(logger, clock)
  const told = (): unknown[] => logger.lines.splice(0).map(({ fields }) => fields)
  for (let count = 0; count < 25; count++) failed('192.0.2.1')
  assert.is(told().length, 20)
  clock.advance(60_000)
  assert.equal(told(), [{ leftOut: 5 }])
  failed('192.0.2.1')
  assert.is(told().length, 1)
  clock.advance(60_000)
  assert.equal(told(), [])
})

test.run()
