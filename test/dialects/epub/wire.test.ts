import * as assert from 'uvu/assert'
import { restHub, type RestHub } from '../../util/rest-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { SYNCHRONIZE } from './reading-app.ts'
import { INSTANCE, OBJECTS, RESULTS } from './reading.ts'

const test = suite('dialects/epub/wire')

/** One request to the hub under test, of these bytes and no header but these. */
type Ask = (
  method: string,
  path: string,
  headers?: Record<string, string>,
  body?: string
) => Promise<{ status: number; type: string | null; headers: Headers; text: string }>

async function hubAndAsk(context: TestContext): Promise<RestHub & { ask: Ask }> {
  const hub = await restHub(context)
  const ask: Ask = async (method, path, headers = {}, body) => {
    // A body of bytes gets no content type by itself, as one of text would.
    const response = await fetch(hub.url + path, { method, headers, ...(body !== undefined && { body: Buffer.from(body) }) })
    const { status } = response
    return { status, type: response.headers.get('content-type'), headers: response.headers, text: await response.text() }
  }
  return { ...hub, ask }
}

const JSON_TYPE = { 'content-type': 'application/json' }
const message = (text: string): string => JSON.stringify({ Message: text })

test('every form that is taken signs in, and is answered in each of the four that are given', async context => {
  const { account, password, ask } = await hubAndAsk(context)
  const id = 4_711
  const escaped = password.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const json = JSON.stringify({ Account: { Email: account, Password: password }, AccountApplicationId: id, ApplicationType: 1 })
  const xml = `<SynchronizationModel xmlns="${OBJECTS}"><AccountApplicationId>${id}</AccountApplicationId><ApplicationType>1</ApplicationType><Account><Password>${escaped}</Password><Email>${account}</Email></Account></SynchronizationModel>`
  const form = new URLSearchParams({
    'Account.Email': account,
    'Account[Password]': password,
    accountapplicationid: String(id),
    ApplicationType: '1'
  }).toString()
  const bodies: Record<string, string> = {
    'application/json': json,
    'text/json': json,
    'application/xml': xml,
    'text/xml': xml,
    'application/x-www-form-urlencoded': form
  }
  for (const [sent, body] of Object.entries(bodies))
    for (const accept of ['application/json', 'text/json', 'application/xml', 'text/xml']) {
      const { status, type, text } = await ask('POST', SYNCHRONIZE, { 'content-type': sent, accept }, body)
      assert.equal([status, type], [200, `${accept}; charset=utf-8`], `${sent} ${text}`)
      if (accept.endsWith('json')) {
        const { Errors, Result, IsSuccess, StatusCode } = JSON.parse(text)
        assert.equal([Errors, IsSuccess, StatusCode, Result.AccountApplicationId], [null, true, 200, id])
        assert.match(Result.CurrentSyncTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z$/)
      } else {
        assert.ok(text.startsWith(`<ApiResultOfSynchronizationModel8WPzUjNG xmlns:i="${INSTANCE}" xmlns="${RESULTS}">`), text)
        assert.match(text, `<d2p1:AccountApplicationId>${id}</d2p1:AccountApplicationId>`)
        assert.ok(text.endsWith('<StatusCode>OK</StatusCode></ApiResultOfSynchronizationModel8WPzUjNG>'), text)
      }
      for (const secret of ['Password', 'PasswordHash', 'SecurityStamp'])
        assert.not.match(text, new RegExp(`"${secret}":"|:${secret}>[^<]`))
    }
})

test('what is no call of an operation has the status and the words that such a service has', async context => {
  const { url, account, ask } = await hubAndAsk(context)
  const post = (body: string | undefined, headers: Record<string, string> = JSON_TYPE, path = SYNCHRONIZE): ReturnType<Ask> =>
    ask('POST', path, headers, body)
  const denied = message('Authorization has been denied for this request.')
  const none = message(
    "The request contains an entity body but no Content-Type header. The inferred media type 'application/octet-stream' is not supported for this resource."
  )
  const rows: [what: string, heard: Awaited<ReturnType<Ask>>, status: number, text: string][] = [
    ['no body', await post(undefined, {}), 401, denied],
    ['an empty model', await post('{}'), 401, denied],
    ['null', await post('null'), 401, denied],
    ['a wrong password', await post(JSON.stringify({ Account: { Email: account, Password: 'no' } })), 401, denied],
    ['a wrong token', await post('{}', { ...JSON_TYPE, authorization: 'Bearer no' }), 401, denied],
    ['no type', await post('{}', {}), 415, none],
    [
      'another type',
      await post('{}', { 'content-type': 'text/plain' }),
      415,
      message("The request entity's media type 'text/plain' is not supported for this resource.")
    ],
    [
      'another path',
      await post('{}', JSON_TYPE, '/api/synchronization/nothing'),
      404,
      message(`No HTTP resource was found that matches the request URI '${url}/api/synchronization/nothing'.`)
    ],
    ['another method', await ask('GET', SYNCHRONIZE), 405, message("The requested resource does not support http method 'GET'.")],
    [
      'a value that is none',
      await post('{"Markings":[{"id":"x"}]}'),
      400,
      JSON.stringify({
        Message: 'The request is invalid.',
        ModelState: {
          'model.Markings[0].id': [
            `Error converting value "x" to type 'System.Int64'. Path 'Markings[0].id', line 1, position 22.`
          ]
        }
      })
    ],
    [
      'no JSON',
      await post('{'),
      400,
      JSON.stringify({
        Message: 'The request is invalid.',
        ModelState: { model: ["Unexpected end when reading JSON. Path '', line 1, position 1."] }
      })
    ]
  ]
  for (const [what, { status, type, text }, expected, words] of rows)
    assert.equal([status, type, text], [expected, 'application/json; charset=utf-8', words], what)
  assert.is(rows.find(([what]) => what === 'another method')![1].headers.get('allow'), 'POST')
  const xml = await post('{}', { ...JSON_TYPE, accept: 'text/xml' })
  assert.equal(
    [xml.status, xml.type, xml.text],
    [401, 'text/xml; charset=utf-8', '<Error><Message>Authorization has been denied for this request.</Message></Error>']
  )
})

test('each operation is found in any case, by its method alone', async context => {
  const { ask } = await hubAndAsk(context)
  const operations: Record<string, 'GET' | 'POST'> = {
    '/api/synchronization/synchronize': 'POST',
    '/api/synchronization/registerDevice': 'POST',
    '/api/synchronization/downloadInitialContent': 'GET',
    '/api/markings/postMarkingsApp': 'POST',
    '/api/markings/editNote': 'POST',
    '/api/markings/removeMarkings': 'POST',
    '/api/markings/getMarkingById': 'GET'
  }
  for (const [path, method] of Object.entries(operations))
    for (const spelled of [path, path.toUpperCase(), path.toLowerCase(), `${path}/`]) {
      const found = await ask(method, spelled)
      assert.ok([200, 401].includes(found.status), `${spelled} ${found.status}`)
      const { status, headers } = await ask(method === 'GET' ? 'POST' : 'GET', spelled)
      assert.equal([status, headers.get('allow')], [405, method], spelled)
    }
})

test.run()
