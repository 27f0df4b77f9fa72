import * as assert from 'uvu/assert'
import { checkAccount } from '../../../server/core/check-account.ts'
import { placeOf, remember, toldOf } from '../../../server/core/tellings.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/core/tellings')

test('a device has what it was told up to where it is, and not what it was told later', async () => {
  const { account } = await coreHub().account('phone')
  const { views } = account
  assert.is(toldOf(views, 'phone', 'a', 100), undefined)
  remember(views, 'phone', 'a', 0, 10, 'first', ['emma', 'x'])
  remember(views, 'phone', 'a', 10, 20, 'second')
  assert.equal(
    [5, 10, 19, 20, 99].map(sinceUs => toldOf(views, 'phone', 'a', sinceUs)),
    [undefined, 'first', 'first', 'second', 'second']
  )
  assert.equal(placeOf(views, 'phone', 'a'), ['emma', 'x'])
  assert.is(toldOf(views, 'tablet', 'a', 99), undefined)
})

test('what was told past where a device comes from once more is forgotten, and so is what it had before', async () => {
  const { account } = await coreHub().account('phone')
  const { views } = account
  for (const [sinceUs, atUs, value] of [
    [0, 10, 'first'],
    [10, 20, 'lost'],
    [10, 30, 'again'],
    [30, 30, 'sent']
  ] as const)
    remember(views, 'phone', 'a', sinceUs, atUs, value)
  assert.equal(
    [10, 29, 30].map(sinceUs => toldOf(views, 'phone', 'a', sinceUs)),
    [undefined, undefined, 'sent']
  )
})

test('it is stored with the records, and no check takes it for something that the log lacks', async () => {
  const core = coreHub()
  const { account } = await core.account('phone')
  remember(account.views, 'phone', 'a', 0, 10, { note: 'x' })
  account.storeRecords()
  await account.settled()
  const found: string[] = []
  await checkAccount(core.store, account.id, what => found.push(what))
  assert.equal(found, [])
  assert.equal(core.store.range([account.id, 'tellings'], undefined, 9).length, 1)
})

test.run()
