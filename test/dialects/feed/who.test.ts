import * as assert from 'uvu/assert'
import { bookUuid } from '../../../server/dialects/feed/book-ids.ts'
import { otherAccount, restHub, type RestHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { feedClient, newBook, type FeedClient } from './client.ts'

const test = suite('dialects/feed/who')

let opened: Promise<FeedClient> | undefined
const feed = (): Promise<FeedClient> => (opened ??= feedClient(test.shared))

const basic = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const ask = ({ url }: RestHub, headers: Record<string, string>, path = '/sync'): Promise<Response> =>
  fetch(`${url}/api/library${path}`, { headers })

test('a token is taken as a key, as a bearer, and as either half of basic', async () => {
  const { hub, token } = await feed()
  const { access_token } = await hub.login()
  for (const own of [token, access_token])
    for (const headers of [
      { 'x-api-key': own },
      { authorization: `Bearer ${own}` },
      { authorization: `bearer ${own}` },
      { authorization: basic(own, '') },
      { authorization: basic('', own) },
      { authorization: basic('anybody', own) },
      { authorization: basic(own, 'anything') },
      { 'x-api-key': own, authorization: 'Bearer wrong' }
    ] as Record<string, string>[])
      assert.is((await ask(hub, headers)).status, 200, JSON.stringify(headers))
})

test('whoever has none is told only that one is needed, wherever they ask', async () => {
  const { hub, token } = await feed()
  for (const headers of [
    {},
    { 'x-api-key': 'wrong' },
    { 'x-api-key': 'wrong', authorization: `Bearer ${token}` },
    { authorization: 'Bearer' },
    { authorization: 'Bearer ' },
    { authorization: `Bearer ${token}x` },
    { authorization: `Digest ${token}` },
    { authorization: basic('', '') },
    { authorization: basic(hub.account, hub.password) },
    { authorization: 'Basic !' }
  ] as Record<string, string>[])
    for (const path of ['/sync', '', '/sync?page=0', `/${crypto.randomUUID()}`, '/nowhere/at/all']) {
      const answer = await ask(hub, headers, path)
      assert.is(answer.status, 401, `${JSON.stringify(headers)} ${path}`)
      assert.equal(await answer.json(), { error: 'Authentication required' })
      assert.is(answer.headers.get('www-authenticate'), null)
    }
})

test('a device that is disabled or deleted is a stranger', async () => {
  const { hub } = await feed()
  const [keeper, gone] = [await hub.device(), await hub.device()]
  await keeper.ask('PUT', `/devices/${gone.id}`, { disabled: true })
  assert.is((await ask(hub, { 'x-api-key': gone.token })).status, 401)
  await keeper.ask('PUT', `/devices/${gone.id}`, { disabled: false })
  assert.is((await ask(hub, { 'x-api-key': gone.token })).status, 200)
  await keeper.ask('DELETE', `/devices/${gone.id}`)
  const answer = await ask(hub, { 'x-api-key': gone.token })
  assert.equal([answer.status, await answer.json()], [401, { error: 'Authentication required' }])
})

test('a device that may only read reads everything, and sets no status', async () => {
  const client = await feed()
  const book = newBook()
  await client.write('book.put', book, { title: 'x' })
  const { token } = await client.hub.device({ read_only: true })
  assert.is((await client.hub.request('GET', '/api/library/sync', token)).status, 200)
  for (const [method, body] of [
    ['PATCH', { status: 'finished' }],
    ['PATCH', { status: 'nonsense' }],
    ['DELETE', undefined]
  ] as const) {
    const { status, json } = await client.hub.request(method, `/api/library/${bookUuid(book)}/reading-status`, token, body)
    assert.equal([status, json], [403, { error: 'this device may only read' }])
  }
  assert.is((await client.get(`/${bookUuid(book)}`)).progress.manuallySet, false)
})

test("another account's books look like none", async context => {
  const hub = await restHub(context, {})
  if (hub.own === undefined) return
  const ours = await feedClient(context, hub)
  const theirs = await feedClient(context, await otherAccount(context, hub))
  const book = newBook()
  await ours.write('book.put', book, { title: 'x' })
  const [known, unknown] = [await theirs.ask('GET', `/${bookUuid(book)}`), await theirs.ask('GET', `/${crypto.randomUUID()}`)]
  assert.equal([known.status, known.json], [unknown.status, unknown.json])
  assert.equal((await theirs.drain()).books, [])
  assert.is((await theirs.get('')).pagination.total, 0)
})

test('what there is not is said in the same form', async () => {
  const client = await feed()
  for (const [method, path, error] of [
    ['GET', '/nowhere/at/all', 'Not found'],
    ['POST', '/sync', 'Not found'],
    ['DELETE', `/${crypto.randomUUID()}`, 'Not found'],
    ['GET', `/${crypto.randomUUID()}`, 'Book not found'],
    ['GET', '/no-uuid', 'Book not found'],
    ['GET', `/${crypto.randomUUID()}/cover`, 'Book not found'],
    ['GET', `/${crypto.randomUUID()}/download/${crypto.randomUUID()}`, 'Book not found'],
    ['PATCH', `/${crypto.randomUUID()}/reading-status`, 'Book not found']
  ] as const) {
    const { status, json } = await client.ask(method, path, method === 'PATCH' ? {} : undefined)
    assert.equal([status, json], [404, { error }], `${method} ${path}`)
  }
})

test.run()
