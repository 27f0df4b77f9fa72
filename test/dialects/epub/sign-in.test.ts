import * as assert from 'uvu/assert'
import { otherAccount, restHub, type RestAnswer } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { bookNumber, marking, readingApp, settledApp, SYNCHRONIZE, type Json } from './reading-app.ts'

const test = suite('dialects/epub/sign-in')

const isDenied = ({ status, json, text }: RestAnswer): void =>
  assert.equal([status, json], [401, { Message: 'Authorization has been denied for this request.' }], text)

test('nobody is let in without the right password or token, and all of them are told the same', async context => {
  const hub = await restHub(context)
  const app = readingApp(hub)
  const accounts = [null, {}, { Email: hub.account }, { Password: hub.password }, { Email: hub.account, Password: '' }]
  // A hub of somebody's own is not made to count many failures.
  if (hub.own !== undefined) accounts.push({ Email: hub.account, Password: 'wrong' }, { Email: 'nobody', Password: hub.password })
  for (const Account of accounts) isDenied(await app.send({ ...app.model(), Account }))
  isDenied(await hub.request('POST', SYNCHRONIZE, 'lectern_wrong', app.model()))
  isDenied(await hub.request('GET', '/api/markings/getMarkingById?syncGuid=x'))
})

test('the name of an account counts without its case', async context => {
  const hub = await restHub(context)
  const { status, text } = await readingApp(hub).send({
    ...readingApp(hub).model({ Account: { Email: ` ${hub.account.toUpperCase()} ` } })
  })
  assert.is(status, 200, text)
})

test('passwords are guessed ten times at most, and then the right one waits, too', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const app = readingApp(hub)
  for (let tries = 0; tries < 10; tries++) isDenied(await app.send(app.model({ Account: { Password: `wrong ${tries}` } })))
  const { status, headers } = await app.send(app.model())
  assert.is(status, 429)
  assert.ok(Number(headers.get('retry-after')) > 0)
})

test('whoever guesses at an account does not hold up apps of it that were let in a short while ago', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const app = readingApp(hub)
  await app.synchronize()
  const guesser = readingApp(hub)
  const statuses: number[] = []
  for (let tries = 0; tries < 11; tries++)
    statuses.push((await guesser.send(guesser.model({ Account: { Password: `wrong ${tries}` } }))).status)
  assert.equal([statuses[9], statuses[10]], [401, 429])
  await app.synchronize()
})

test('another password takes the place of the one before at once, though that was remembered', async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const app = readingApp(hub)
  await app.synchronize()
  await hub.own.directory.setPassword(hub.account, 'another one')
  isDenied(await app.send(app.model()))
  assert.is((await app.send(app.model({ Account: { Password: 'another one' } }))).status, 200)
})

test('a device that was revoked or disabled is not let in, by the password neither', async context => {
  const hub = await restHub(context)
  const device = await hub.device()
  const [disabled, revoked] = [readingApp(hub), readingApp(hub)]
  for (const app of [disabled, revoked]) await app.synchronize()
  await device.ask('PUT', `/devices/epub-1-${disabled.id}`, { disabled: true })
  await device.ask('DELETE', `/devices/epub-1-${revoked.id}`)
  for (const app of [disabled, revoked]) assert.ok([401, 403].includes((await app.send(app.model())).status))
  await device.ask('PUT', `/devices/epub-1-${disabled.id}`, { disabled: false })
  await disabled.synchronize()
})

test('a bearer needs no password, and is the device that it names, or itself', async context => {
  const hub = await restHub(context)
  const [{ token }, { access_token }, other] = [await hub.device(), await hub.login(), await settledApp(hub)]
  for (const given of [token, access_token])
    for (const ids of [{}, { AccountApplicationId: other.id + 1, ApplicationType: 2 }]) {
      const one = marking(bookNumber())
      const send = async (model: Json): Promise<Json> => {
        const { status, json, text } = await hub.request('POST', SYNCHRONIZE, given, { ...ids, ...model })
        assert.is(status, 200, text)
        return json.Result
      }
      const { CurrentSyncTimestamp: LastSyncTimestamp } = await send({ Markings: [one] })
      assert.equal((await send({ LastSyncTimestamp }))['Markings'], [])
      assert.equal((await other.synchronize())['Markings'], [one])
    }
})

test('a device that may only read is told everything, and changes nothing', async context => {
  const hub = await restHub(context)
  const [{ token }, app] = [await hub.device({ read_only: true }), await settledApp(hub)]
  const one = marking(bookNumber())
  await app.synchronize({ Markings: [one] })
  const reader = async (model: Json): Promise<RestAnswer> =>
    hub.request('POST', SYNCHRONIZE, token, { AccountApplicationId: app.id, ApplicationType: 1, ...model })
  const { json } = await reader({})
  assert.equal(
    json.Result.Markings.filter((told: Json) => told['syncGuid'] === one['syncGuid']),
    [one]
  )
  assert.is((await reader({ Markings: [{ ...one, note: 'x' }] })).status, 403)
  assert.equal((await app.synchronize())['Markings'], [])
})

test("nobody is told what is another account's, by the same device, the same numbers or the same GUID", async context => {
  const hub = await restHub(context)
  if (hub.own === undefined) return
  const ben = await otherAccount(context, hub)
  const app = readingApp(hub)
  const one = marking(bookNumber())
  await app.synchronize({ Markings: [one] })
  const bens = readingApp(ben, app.id)
  assert.equal((await bens.synchronize())['Markings'], [])
  const { token } = await ben.device()
  const { json } = await ben.request('GET', `/api/markings/getMarkingById?syncGuid=${one['syncGuid']}`, token)
  assert.is(json.StatusCode, 404)
  const mine = { ...one, note: 'mine' }
  await bens.synchronize({ Markings: [mine] })
  assert.equal((await app.synchronize())['Markings'], [])
})

test('a type that is no number and no name is refused', async context => {
  const hub = await restHub(context)
  const app = readingApp(hub)
  for (const ApplicationType of ['a b', 'x'.repeat(33)])
    assert.is((await app.send({ ...app.model(), ApplicationType })).status, 400)
})

test.run()
