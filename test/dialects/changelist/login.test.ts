import * as assert from 'uvu/assert'
import { renewToken, revokeDevice, updateDevice } from '../../../server/auth/devices.ts'
import { parseToken } from '../../../server/auth/tokens.ts'
import { restHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import {
  API,
  changeListXml,
  envelope,
  faultText,
  loginXml,
  ownService,
  service,
  SOAP_11,
  SOAP_12,
  SOAP_XML,
  textIn,
  type Heard,
  type Service
} from './service.ts'

const test = suite('dialects/changelist/login')

const LOGIN = { soapaction: `"${API}AccountLogin"` }
const login = ({ post }: Service, userName: string, password: string, apiKey?: string): Promise<Heard> =>
  post(envelope(SOAP_11, loginXml(userName, password, apiKey)), LOGIN)

/** What a list is answered with this token: 200, or a fault. */
const statusWith = async ({ post }: Service, token: string): Promise<number> =>
  (await post(envelope(SOAP_11, changeListXml(token)))).status

for (const version of ['1.1', '1.2'] as const)
  test(`a login in SOAP ${version} gives a token, in LoginResult, with an empty message`, async context => {
    const own = await service(context)
    const xml = loginXml(own.userName, own.password)
    const { status, text } =
      version === '1.1'
        ? await own.post(envelope(SOAP_11, xml), LOGIN)
        : await own.post(envelope(SOAP_12, xml), { 'content-type': SOAP_XML, soapaction: undefined })
    assert.is(status, 200, text)
    const token = textIn(text, 'Token')
    assert.match(
      text,
      `<AccountLoginResponse xmlns="${API}"><LoginResult><ErrorMessage /><Token>${token}</Token><ClientEncryptedPassword /></LoginResult></AccountLoginResponse>`
    )
    assert.is(await statusWith(own, token), 200)
  })

test('a login that is refused says so in its result, and gives no token', async context => {
  const own = await service(context)
  const tries = [
    [own.userName, 'wrong'],
    ['nobody-of-this-name', own.password],
    [own.userName, ''],
    ['', own.password],
    ['a&#9;b', own.password],
    [own.userName, 'x'.repeat(300)]
  ] as const
  const heard = await Promise.all(tries.map(([userName, password]) => login(own, userName, password)))
  for (const { status, text } of heard) {
    assert.is(status, 200, text)
    assert.ok(textIn(text, 'ErrorMessage') !== '', text)
    assert.not.match(text, '<Token')
  }
  assert.is(heard[0]!.text, heard[1]!.text, 'a wrong password is told from an account that is none')
})

test('a value that is no number is a fault, though it has no effect', async context => {
  const own = await service(context)
  const xml = loginXml(own.userName, own.password).replace('<OrgID>0', '<OrgID>x')
  const { status, text } = await own.post(envelope(SOAP_11, xml), LOGIN)
  assert.is(status, 500)
  assert.match(faultText(text), /Input string was not in a correct format\.$/)
})

test('logins of one app give one token; another app has another device', async context => {
  const own = await ownService(context)
  const tokenOf = async (apiKey?: string): Promise<string> =>
    textIn((await login(own, 'ADA ', 'correct horse', apiKey)).text, 'Token')
  const tokens = await Promise.all([tokenOf(), tokenOf(), tokenOf('other'), tokenOf('other')])
  assert.equal(tokens.slice(0, 2), [own.token, own.token])
  assert.is(tokens[2], tokens[3])
  assert.is.not(tokens[2], own.token)
  const devices = own.account.views.range('devices', [], '', 100)
  assert.equal(
    devices.map(([, { name, app, readOnly, revoked }]) => ({ name, app, readOnly, revoked })),
    Array.from({ length: 2 }, () => ({ name: 'SOAP client', app: 'changelist', readOnly: true, revoked: false }))
  )
})

test('logins that are the first of a hub and come at once give one token', async context => {
  const hub = await restHub(context)
  const url = `${hub.url}/api/syncapp/syncapi.asmx`
  const body = envelope(SOAP_11, loginXml(hub.account, hub.password))
  const answers = await Promise.all(
    Array.from({ length: 5 }, async () =>
      (await fetch(url, { method: 'POST', headers: { ...LOGIN, 'content-type': 'text/xml' }, body })).text()
    )
  )
  const tokens = new Set(answers.map(text => textIn(text, 'Token')))
  assert.is(tokens.size, 1)
  assert.not(tokens.has(''))
})

test('a device that was revoked, or given another token, is passed by at the next login', async context => {
  const own = await ownService(context)
  const next = async (): Promise<string> => textIn((await login(own, 'ada', 'correct horse')).text, 'Token')
  const deviceOf = (token: string): string => parseToken(token)!.device
  await revokeDevice(own.account, deviceOf(own.token))
  const second = await next()
  assert.equal([await statusWith(own, own.token), await statusWith(own, second)], [500, 200])
  const renewed = await renewToken(own.account, deviceOf(second), deviceOf(second), count => new Uint8Array(count).fill(7))
  const third = await next()
  const statuses = await Promise.all([second, renewed, third].map(token => statusWith(own, token)))
  assert.equal(statuses, [500, 200, 200])
})

test('a device that is disabled does not let itself in again', async context => {
  const own = await ownService(context)
  const { device } = parseToken(own.token)!
  await updateDevice(own.account, device, { disabled: true }, device)
  const { status, text } = await login(own, 'ada', 'correct horse')
  assert.is(status, 200)
  assert.not.match(text, '<Token')
  assert.is.not(textIn(text, 'ErrorMessage'), '')
  assert.is(await statusWith(own, own.token), 500)
  await updateDevice(own.account, device, { disabled: false }, device)
  assert.is(textIn((await login(own, 'ada', 'correct horse')).text, 'Token'), own.token)
})

test('tries are counted, with those of every other way in', async context => {
  const own = await ownService(context)
  for (let count = 0; count < 10; count++) await login(own, 'ada', 'wrong')
  const { status, text } = await login(own, 'ada', 'correct horse')
  assert.is(status, 200)
  assert.not.match(text, '<Token')
  assert.match(textIn(text, 'ErrorMessage'), 'too many tries')
  const elsewhere = await fetch(`${own.own.url}/api/v1/sign-in`, {
    method: 'POST',
    body: JSON.stringify({ account: 'ada', password: 'correct horse', name: 'phone', app: 'test' })
  })
  assert.is(elsewhere.status, 429)
  assert.is(await statusWith(own, own.token), 200)
})

test('no change is made by a login of an app that is known', async context => {
  const own = await ownService(context)
  const { head } = own.account
  await login(own, 'ada', 'correct horse')
  assert.is(own.account.head, head)
})

test.run()
