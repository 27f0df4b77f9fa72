import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { lectern } from '../util/lectern.ts'
import { isRefused, restHubAt, type RestTokens } from '../util/rest-hub.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const test = suite('stories/sign-ins')

test('what was answered about sign-ins and devices holds after kill -9', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const [account, password] = ['ada', 'correct horse']
  await hub.operate('account.add', { account, password })
  const rest = restHubAt(context, hub.url, account, password)
  const [kept, left, stolen] = [await rest.login(), await rest.login(), await rest.login()]
  const device = await rest.device()
  const refresh = (refresh_token: string) => rest.request('POST', '/api/v1/auth/refresh', undefined, { refresh_token })
  const devices = (token: string) => rest.request('GET', '/api/v1/sync/devices', token)
  const newer = (await refresh(kept.refresh_token)).json as RestTokens
  const newest = (await refresh(stolen.refresh_token)).json as RestTokens
  const last = await Promise.all([
    rest.request('POST', '/api/v1/auth/logout', left.access_token),
    refresh(stolen.refresh_token),
    device.ask('PUT', `/devices/${device.id}`, { disabled: true })
  ])
  await hub.kill()
  await hub.start()
  assert.equal(
    last.map(({ status }) => status),
    [204, 401, 200]
  )
  assert.is((await devices(newer.access_token)).status, 200)
  for (const token of [left.access_token, newest.access_token]) isRefused(await devices(token), 401, 'unauthenticated')
  for (const token of [left.refresh_token, newest.refresh_token]) isRefused(await refresh(token), 401, 'unauthenticated')
  isRefused(await devices(device.token), 403, 'device-disabled')
  assert.is((await refresh(newer.refresh_token)).status, 200)
  isRefused(await refresh(kept.refresh_token), 401, 'unauthenticated')
})

test('a new password ends what was signed in by the one before, live connections too; devices keep their own tokens, and are counted', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const [account, password] = ['ada', 'correct horse']
  await hub.operate('account.add', { account, password })
  const { token } = await hub.pair(account, 'phone')
  const rest = restHubAt(context, hub.url, account, password)
  const { access_token, refresh_token } = await rest.login()
  const [live, phone] = [new WireClient(), new WireClient()]
  context.defer(() => phone.close())
  await live.connect(hub.url, access_token)
  await phone.connect(hub.url, token)
  const bye = live.next('bye')
  const { code, out } = await lectern(['account', 'passwd', account, '--data', hub.dataFolder], { typed: 'battery staple\n' })
  assert.is(code, 0)
  assert.match(out, /^Devices that keep tokens of their own: 2\. /m)
  assert.is((await bye).code, 'unauthenticated')
  isRefused(await rest.request('GET', '/api/v1/sync/devices', access_token), 401, 'unauthenticated')
  isRefused(await rest.request('POST', '/api/v1/auth/refresh', undefined, { refresh_token }), 401, 'unauthenticated')
  isRefused(await rest.request('POST', '/api/v1/auth/login', undefined, { account, password }), 401, 'unauthenticated')
  assert.is((await rest.request('GET', '/api/v1/sync/devices', token)).status, 200)
  assert.is(phone.closeCode, undefined)
})

test.run()
