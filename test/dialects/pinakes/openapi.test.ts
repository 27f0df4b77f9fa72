import * as assert from 'uvu/assert'
import { restHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('dialects/pinakes/openapi')

/** The operations and statuses of Pinakes' page. */
const DOCUMENTED: Readonly<Record<string, readonly number[]>> = {
  'post /ack': [200, 400, 401],
  'get /changes': [200, 400, 401],
  'get /conflicts': [200, 401],
  'post /conflicts/{id}/resolve': [200, 400, 401],
  'get /devices': [200, 401],
  'post /devices': [200, 400, 401, 500],
  'get /devices/{id}': [200, 401, 403, 404],
  'put /devices/{id}': [200, 401, 403, 404],
  'delete /devices/{id}': [204, 401, 403, 404],
  'post /devices/{id}/token': [200, 401, 403, 404],
  'get /download/{path}': [200, 206, 401, 404],
  'post /report': [200, 400, 401],
  'post /upload': [200, 400, 401],
  'get /upload/{id}': [200, 401, 404],
  'delete /upload/{id}': [204, 401, 404],
  'put /upload/{id}/chunks/{index}': [200, 400, 401, 404],
  'post /upload/{id}/complete': [200, 400, 401, 404]
}
const BASE = '/api/v1/sync'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly security?: readonly object[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
  readonly responses: Readonly<Record<string, object>>
}

test('the document has the seventeen operations with their documented statuses, and no other success', async context => {
  const hub = await restHub(context)
  const { status, json, headers } = await hub.request('GET', '/api/v1/openapi.json')
  assert.is(status, 200)
  assert.match(headers.get('content-type')!, /^application\/json/)
  assert.is(json.openapi, '3.1.0')
  const operations = Object.entries(json.paths as Record<string, Record<string, Operation>>)
    .filter(([path]) => path.startsWith(BASE))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method} ${path.slice(BASE.length)}`, operation] as const)
    )
  assert.equal(operations.map(([name]) => name).sort(), Object.keys(DOCUMENTED).sort())
  for (const [name, { summary, responses, parameters = [] }] of operations) {
    const statuses = Object.keys(responses).map(Number)
    const isSuccess = (each: number): boolean => each < 300
    assert.equal(
      DOCUMENTED[name]!.filter(each => !statuses.includes(each)),
      [],
      name
    )
    assert.equal(statuses.filter(isSuccess), DOCUMENTED[name]!.filter(isSuccess), name)
    assert.ok(summary, name)
    const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
    assert.equal(
      parameters.filter(each => each.in === 'path').map(each => each.name),
      inPath,
      name
    )
  }
})

test('every reference in the document leads somewhere', async context => {
  const hub = await restHub(context)
  const { json, text } = await hub.request('GET', '/api/v1/openapi.json')
  const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!)
  assert.ok(references.length > 10)
  for (const reference of references)
    assert.ok(
      reference.split('/').reduce((at, part) => at?.[part], json),
      reference
    )
})

test('every operation has an id of its own, for what makes clients of the document', async context => {
  const hub = await restHub(context)
  const { json } = await hub.request('GET', '/api/v1/openapi.json')
  const ids = Object.values(json.paths as Record<string, Record<string, Operation>>).flatMap(methods =>
    Object.values(methods).map(({ operationId }) => operationId)
  )
  assert.ok(ids.every(id => /^[a-z][A-Za-z]+$/.test(id ?? '')))
  assert.is(new Set(ids).size, ids.length)
})

test('without a token only the ways in answer', async context => {
  const hub = await restHub(context)
  const { json } = await hub.request('GET', '/api/v1/openapi.json')
  const open = Object.entries(json.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security = json.security }]) => (security as object[]).length === 0)
      .map(([method]) => `${method} ${path}`)
  )
  assert.equal(open.sort(), ['post /api/v1/auth/login', 'post /api/v1/auth/refresh'])
  for (const [path, methods] of Object.entries(json.paths as Record<string, object>))
    for (const method of Object.keys(methods))
      for (const at of [path, path.replace('/api/v1/sync', '/api/sync')]) {
        const { status } = await hub.request(method.toUpperCase(), at.replace(/\{\w+\}/g, '1'))
        assert.is(status, open.includes(`${method} ${path}`) ? 400 : 401, `${method} ${at}`)
      }
})

test('an operation has no methods but its own', async context => {
  const hub = await restHub(context)
  const { token } = await hub.device()
  for (const path of ['devices', 'devices/1', 'changes', 'ack', 'report', 'conflicts', 'upload', 'upload/1'])
    for (const method of ['PATCH', 'OPTIONS']) {
      const { status } = await hub.request(method, `/api/v1/sync/${path}`, token)
      assert.is(status, 404, `${method} ${path}`)
    }
})

test.run()
