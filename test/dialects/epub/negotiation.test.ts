import * as assert from 'uvu/assert'
import { suite } from '../../util/suite.ts'
import { echo, SYNCHRONIZE, type Heard } from './echo.ts'
import { INSTANCE, OBJECTS, RESULTS, SAMPLE_REQUEST } from './reading.ts'

const test = suite('dialects/epub/negotiation')

const JSON_TYPE = { 'content-type': 'application/json' }
const XML_BODY = `<SynchronizationModel xmlns="${OBJECTS}"><AccountApplicationId>7</AccountApplicationId></SynchronizationModel>`
const MIB = 1_048_576

const isRefused = (heard: Heard, status: number, message: string): void =>
  assert.equal(
    [heard.status, heard.type, heard.text],
    [status, 'application/json; charset=utf-8', JSON.stringify({ Message: message })]
  )

test('an answer is written as is accepted, else as the request was, else as JSON', async context => {
  const { ask } = await echo(context)
  const bodies: Record<string, string> = {
    'application/json': '{"AccountApplicationId":7}',
    'text/json': '{"AccountApplicationId":7}',
    'application/xml': XML_BODY,
    'text/xml': XML_BODY,
    'application/x-www-form-urlencoded': 'AccountApplicationId=7'
  }
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8'
  const rows: [headers: Record<string, string>, sent: string, answered: string][] = [
    [{}, 'application/json', 'application/json'],
    [{}, 'text/json', 'text/json'],
    [{}, 'application/xml', 'application/xml'],
    [{}, 'text/xml', 'text/xml'],
    [{}, 'application/x-www-form-urlencoded', 'application/json'],
    [{ accept: '*/*' }, 'application/xml', 'application/json'],
    [{ accept: 'application/xml' }, 'application/json', 'application/xml'],
    [{ accept: 'TEXT/XML' }, 'application/json', 'text/xml'],
    [{ accept: 'text/*' }, 'application/json', 'text/json'],
    [{ accept: browser }, 'application/json', 'application/xml'],
    [{ accept: 'application/json;q=0.5, text/xml;q=0.6' }, 'application/json', 'text/xml'],
    [{ accept: 'application/json, application/xml' }, 'application/xml', 'application/json'],
    [{ accept: 'application/xml, application/json' }, 'application/xml', 'application/json'],
    [{ accept: '*/*, application/xml' }, 'application/json', 'application/xml'],
    [{ accept: 'application/*, text/xml' }, 'application/json', 'text/xml'],
    [{ accept: '*/*, text/*' }, 'application/json', 'text/json'],
    [{ accept: 'application/json;q=0, application/xml;q=0.1' }, 'application/json', 'application/xml'],
    [{ accept: 'image/png' }, 'text/xml', 'text/xml'],
    [{ accept: 'image/png' }, 'application/x-www-form-urlencoded', 'application/json'],
    [{ accept: 'application/json;q=0' }, 'application/json', 'application/json'],
    [{ accept: ',;=,"' }, 'text/xml', 'text/xml'],
    [{ 'x-requested-with': 'XMLHttpRequest' }, 'application/xml', 'application/json'],
    [{ 'x-requested-with': 'XMLHttpRequest', accept: '*/*' }, 'application/xml', 'application/json'],
    [{ 'x-requested-with': 'XMLHttpRequest', accept: 'text/xml' }, 'application/json', 'text/xml'],
    [{ 'x-requested-with': 'other' }, 'application/xml', 'application/xml']
  ]
  for (const [headers, sent, answered] of rows) {
    const heard = await ask('POST', SYNCHRONIZE, { ...headers, 'content-type': sent }, bodies[sent])
    assert.equal([heard.status, heard.type], [200, `${answered}; charset=utf-8`], JSON.stringify([headers, sent]))
    assert.match(
      heard.text,
      answered.endsWith('xml')
        ? '<d2p1:AccountApplicationId>7</d2p1:AccountApplicationId>'
        : '"AccountApplicationId":7,"ApplicationType":null'
    )
    assert.is(heard.headers['content-length'], String(heard.bytes.length))
  }
})

test('an answer is in UTF-16 when that is accepted, or the request was', async context => {
  const { ask } = await echo(context)
  const body = '{"Book":{"title":"é😀"}}'
  const utf16 = { 'content-type': 'application/json; charset=utf-16' }
  const rows: [headers: Record<string, string>, sent: string | Uint8Array, charset: string][] = [
    [{ ...JSON_TYPE, 'accept-charset': 'utf-16' }, body, 'utf-16'],
    [{ ...JSON_TYPE, 'accept-charset': 'utf-16;q=0.5, utf-8' }, body, 'utf-8'],
    [{ ...JSON_TYPE, 'accept-charset': 'iso-8859-1, utf-16;q=0.1' }, body, 'utf-16'],
    [{ ...JSON_TYPE, 'accept-charset': 'iso-8859-1' }, body, 'utf-8'],
    [{ ...JSON_TYPE, 'accept-charset': '*' }, body, 'utf-8'],
    [utf16, Buffer.from(body, 'utf16le'), 'utf-16'],
    [{ ...utf16, 'accept-charset': 'utf-8' }, Buffer.from(body, 'utf16le'), 'utf-8'],
    [{ 'content-type': 'application/json; charset="UTF-8"' }, body, 'utf-8'],
    [{ 'content-type': 'application/json; charset=klingon' }, body, 'utf-8']
  ]
  for (const [headers, sent, charset] of rows) {
    const { status, type, bytes } = await ask('POST', SYNCHRONIZE, headers, sent)
    assert.equal([status, type], [200, `application/json; charset=${charset}`], JSON.stringify(headers))
    if (charset === 'utf-16') assert.equal([...bytes.subarray(0, 2)], [0xff, 0xfe])
    const text = charset === 'utf-16' ? bytes.subarray(2).toString('utf16le') : bytes.toString('utf8')
    assert.is(JSON.parse(text).Result.Book.title, 'é😀', JSON.stringify(headers))
  }
})

test('a request without a body is a call without a model, whatever its content type', async context => {
  const { ask } = await echo(context)
  for (const headers of [{}, JSON_TYPE, { 'content-type': 'text/plain' }, { ...JSON_TYPE, 'content-length': '0' }]) {
    const heard = await ask('POST', SYNCHRONIZE, { authorization: 'Bearer abc', ...headers })
    assert.is(heard.status, 200)
    assert.equal(JSON.parse(heard.text), {
      Errors: { ErrorsNumber: 2, Messages: ['nothing from test', 'abc'], MessagesString: 'nothing from test\nabc' },
      Result: null,
      IsSuccess: false,
      StatusCode: 400
    })
  }
})

test('a body of another type, or of none, is 415', async context => {
  const { ask, calls } = await echo(context)
  const none =
    "The request contains an entity body but no Content-Type header. The inferred media type 'application/octet-stream' is not supported for this resource."
  isRefused(await ask('POST', SYNCHRONIZE, { 'content-length': '2' }, '{}'), 415, none)
  isRefused(await ask('POST', SYNCHRONIZE, { 'content-type': 'json' }, '{}'), 415, none)
  for (const type of ['text/plain', 'multipart/form-data', 'application/constructor'])
    isRefused(
      await ask('POST', SYNCHRONIZE, { 'content-type': `${type}; charset=utf-8` }, '{}'),
      415,
      `The request entity's media type '${type}' is not supported for this resource.`
    )
  assert.is(calls.count, 0)
})

test('another method is 405 and says which there is, another path is 404, and neither counts the case', async context => {
  const { ask } = await echo(context)
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
    const heard = await ask(method, SYNCHRONIZE)
    isRefused(heard, 405, `The requested resource does not support http method '${method}'.`)
    assert.is(heard.headers.allow, 'POST')
  }
  const posted = await ask('POST', '/api/markings/getMarkingById', JSON_TYPE, '{}')
  assert.equal([posted.status, posted.headers.allow], [405, 'GET'])
  for (const path of ['/api/synchronization', '/api/synchronization/other', '/API/Markings/x?y=1']) {
    const { status, text } = await ask('POST', path, { ...JSON_TYPE, host: 'hub:1' }, '{}')
    assert.is(status, 404)
    assert.is(text, `{"Message":"No HTTP resource was found that matches the request URI 'http://hub:1${path}'."}`)
  }
  for (const path of [
    '/API/Synchronization/SYNCHRONIZE',
    '/api/synchronization/synchronize/',
    '/Api/synchronization/Synchronize?x=1'
  ])
    assert.is((await ask('POST', path, JSON_TYPE, '{}')).status, 200, path)
  for (const name of ['syncGuid', 'SYNCGUID', 'syncguid'])
    assert.match((await ask('GET', `/api/Markings/GetMarkingById?x=1&${name}=a%20b`)).text, '"note":"a b"')
})

test('a body that cannot be read is 400, each error by its path, and no call is made', async context => {
  const { ask, calls } = await echo(context)
  const body = '{"Account":{"AccountId":"x"},"Markings":[{"syncGuid":"y"}]}'
  const heard = await ask('POST', SYNCHRONIZE, JSON_TYPE, body)
  assert.is(heard.status, 400)
  assert.equal(JSON.parse(heard.text), {
    Message: 'The request is invalid.',
    ModelState: {
      'model.Account.AccountId': [
        `Error converting value "x" to type 'System.Int64'. Path 'Account.AccountId', line 1, position 27.`
      ],
      'model.Markings[0].syncGuid': [
        `Error converting value "y" to type 'System.Guid'. Path 'Markings[0].syncGuid', line 1, position 56.`
      ]
    }
  })
  const xml = await ask('POST', SYNCHRONIZE, { ...JSON_TYPE, accept: 'application/xml' }, '{"Markings":[{"id":"<x>"}]}')
  assert.equal([xml.status, xml.type], [400, 'application/xml; charset=utf-8'])
  assert.is(
    xml.text,
    `<Error><Message>The request is invalid.</Message><ModelState><model.Markings_x005B_0_x005D_.id>Error converting value "&lt;x&gt;" to type 'System.Int64'. Path 'Markings[0].id', line 1, position 24.</model.Markings_x005B_0_x005D_.id></ModelState></Error>`
  )
  const list = await ask('POST', '/api/markings/postMarkingsApp', JSON_TYPE, '[{"id":1},{"id":"x"}]')
  assert.equal(Object.keys(JSON.parse(list.text).ModelState), ['markings[1].id'])
  for (const [type, sent] of [
    ['application/json', '{'],
    ['application/xml', '<a'],
    ['application/xml', '<!DOCTYPE a><a/>'],
    ['application/x-www-form-urlencoded', 'a[=1']
  ]) {
    const { status, text } = await ask('POST', SYNCHRONIZE, { 'content-type': type!, accept: 'text/json' }, sent)
    assert.equal([status, Object.keys(JSON.parse(text).ModelState)], [400, ['model']], sent)
  }
  assert.is(calls.count, 0)
})

test('what an operation refuses has the words that such a service has', async context => {
  const { ask, logger } = await echo(context)
  const of = (code: string, headers = {}): Promise<Heard> =>
    ask('GET', `/api/synchronization/downloadInitialContent?code=${code}`, headers)
  const unknown = await of('unauthenticated')
  isRefused(unknown, 401, 'Authorization has been denied for this request.')
  assert.is(unknown.headers['www-authenticate'], 'Bearer')
  const limited = await of('rate-limited')
  isRefused(limited, 429, 'too many tries; wait before the next')
  assert.is(limited.headers['retry-after'], '2')
  assert.is((await of('forbidden')).status, 403)
  assert.is((await of('storage-full')).status, 507)
  assert.equal(logger.lines, [])
  isRefused(await of('bug'), 500, 'An error has occurred.')
  assert.is((await of('bug', { accept: 'text/xml' })).text, '<Error><Message>An error has occurred.</Message></Error>')
  assert.is(logger.lines.length, 2)
})

test('a body over four megabytes is 413, with and without its length', async context => {
  const { ask, calls } = await echo(context)
  const body = Buffer.alloc(4 * MIB + 1, ' ')
  isRefused(
    await ask('POST', SYNCHRONIZE, { ...JSON_TYPE, 'content-length': String(body.length) }, body),
    413,
    'the body is over 4194304 bytes'
  )
  isRefused(
    await ask('POST', '/API/synchronization/synchronize', { ...JSON_TYPE, 'transfer-encoding': 'chunked' }, body),
    413,
    'the body is over 4194304 bytes'
  )
  assert.is(calls.count, 0)
  assert.is(
    (await ask('POST', '/API/synchronization/synchronize', JSON_TYPE, body.subarray(0, 4 * MIB - 2).toString() + '{}')).status,
    200
  )
})

test('a long answer is sent while it is made, whole or cut off', async context => {
  const { ask, logger } = await echo(context)
  for (const [accept, pattern] of [
    ['application/json', /"title":"(\d+) é{500}"/g],
    ['application/xml', /<d2p1:title>(\d+) é{500}<\/d2p1:title>/g]
  ] as const) {
    const { status, headers, text } = await ask('GET', '/api/synchronization/downloadInitialContent?count=3000', { accept })
    assert.equal([status, headers['content-length'], headers['transfer-encoding']], [200, undefined, 'chunked'])
    const titles = [...text.matchAll(pattern)].map(([, number]) => Number(number))
    assert.equal(
      titles,
      Array.from({ length: 3_000 }, (_, at) => at)
    )
    assert.ok(accept === 'application/json' ? JSON.parse(text) : text.endsWith('</ApiResultOfSynchronizationModel8WPzUjNG>'))
  }
  const path = '/api/synchronization/downloadInitialContent?breaks=1&count='
  isRefused(await ask('GET', `${path}1`), 500, 'An error has occurred.')
  const cut = await ask('GET', `${path}3000`).then(
    () => 'whole',
    () => 'cut'
  )
  assert.is(cut, 'cut')
  assert.is(logger.lines.length, 2)
})

test('the published request comes back in both forms, without its secrets', async context => {
  const { ask } = await echo(context)
  const { status, text } = await ask('POST', SYNCHRONIZE, JSON_TYPE, SAMPLE_REQUEST)
  assert.is(status, 200)
  const expected = JSON.parse(SAMPLE_REQUEST)
  Object.assign(expected.Account, { Password: null, PasswordHash: null, SecurityStamp: null })
  assert.is(text, JSON.stringify({ Errors: null, Result: expected, IsSuccess: true, StatusCode: 200 }))
  const xml = await ask('POST', SYNCHRONIZE, { ...JSON_TYPE, accept: 'text/xml' }, SAMPLE_REQUEST)
  assert.ok(
    xml.text.startsWith(
      `<ApiResultOfSynchronizationModel8WPzUjNG xmlns:i="${INSTANCE}" xmlns="${RESULTS}"><Errors i:nil="true" />`
    )
  )
  assert.not.match(xml.text, /sample string (6|12|13)<\/d2p1:(Password|PasswordHash|SecurityStamp)/)
})

test.run()
