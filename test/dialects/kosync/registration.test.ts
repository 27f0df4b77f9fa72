import * as assert from 'uvu/assert'
import { suite } from '../../util/suite.ts'
import { md5, newDocument, ownReader, readerAt, type Heard } from './reader.ts'

const test = suite('dialects/kosync/registration')

const isRefused = ({ status, text }: Heard, expected: number, code: number, message: string): void =>
  assert.equal([status, text], [expected, JSON.stringify({ code, message })])

test('nobody registers unless the operator wants it, whatever is sent', async context => {
  const { ask, hub } = await ownReader(context)
  for (const body of [{ username: 'ben', password: md5('x') }, {}, 'no json'])
    isRefused(await ask('POST', '/users/create', body, { 'x-auth-user': '' }), 402, 2005, 'User registration is disabled.')
  assert.is(hub.directory.find('ben'), undefined)
})

test('where it is wanted, a new name gets an account with its key alone, and its positions are its own', async context => {
  const own = await ownReader(context, { kosyncRegistration: 'yes' })
  const { status, text } = await own.ask('POST', '/users/create', { username: 'Ben', password: md5('turner') })
  assert.equal([status, text], [201, '{"username":"Ben"}'])
  const ben = readerAt(own.url, 'Ben', 'turner')
  assert.is((await ben.ask('GET', '/users/auth')).status, 200)
  assert.is(own.hub.directory.get('ben').passwordHash, '')
  const document = newDocument()
  await own.put(document, '1', 0.5)
  assert.equal(await ben.get(document), {})
  await ben.put(document, '2', 0.7)
  assert.equal([(await own.get(document)).progress, (await ben.get(document)).progress], ['1', '2'])
})

test('a name that is taken stays with who has it, with a key or without, in any spelling', async context => {
  const own = await ownReader(context, { kosyncRegistration: 'yes' })
  await own.hub.directory.add('carl', 'battery staple')
  for (const username of ['ada', 'ADA', 'carl', ' carl '])
    isRefused(
      await own.ask('POST', '/users/create', { username, password: md5('mine') }),
      402,
      2002,
      'Username is already registered.'
    )
  assert.is((await readerAt(own.url, 'carl', 'mine').ask('GET', '/users/auth')).status, 401)
  assert.is((await own.ask('GET', '/users/auth')).status, 200)
})

test('a name or a key that is none is refused, and makes no account', async context => {
  const { ask, hub } = await ownReader(context, { kosyncRegistration: 'yes' })
  for (const body of [
    {},
    { username: 'ben' },
    { password: md5('x') },
    { username: '', password: md5('x') },
    { username: 'ben', password: '' },
    { username: 'ben', password: 7 },
    { username: 7, password: md5('x') },
    { username: 'b:n', password: md5('x') },
    { username: 'b\nn', password: md5('x') },
    { username: 'x'.repeat(129), password: md5('x') },
    { username: 'ben', password: 'x'.repeat(257) }
  ])
    isRefused(await ask('POST', '/users/create', body), 403, 2003, 'Invalid request')
  assert.equal(
    hub.directory.list().map(({ name }) => name),
    ['ada']
  )
})

test('one address makes no more accounts than it may have failures', async context => {
  const { ask, hub } = await ownReader(context, { kosyncRegistration: 'yes' })
  const statuses: number[] = []
  for (let count = 0; count < 52; count++)
    statuses.push((await ask('POST', '/users/create', { username: count < 3 ? `n${count}` : 'ada', password: 'k' })).status)
  assert.equal([statuses.slice(0, 4), statuses.at(-1)], [[201, 201, 201, 402], 429])
  assert.is(hub.directory.list().length, 4)
})

test('who takes its key back is let in no more, and what it read is still there', async context => {
  const { ask, put, hub, account } = await ownReader(context)
  await put('doc', '1', 0.5)
  const { status, text } = await ask('DELETE', '/users/me')
  assert.equal([status, text], [200, '{"deleted":true}'])
  isRefused(await ask('DELETE', '/users/me'), 401, 2001, 'Unauthorized')
  assert.ok(hub.directory.find('ada') !== undefined)
  assert.is(account.views.range('positions', ['kosync-doc'], '', 9).length, 1)
})

test('the account has one password and one key for readers, and neither is good for the other', async context => {
  const { url, ask } = await ownReader(context)
  assert.is((await readerAt(url, 'ada', 'correct horse').ask('GET', '/users/auth')).status, 401)
  for (const password of ['page turner', md5('page turner')]) {
    const body = { account: 'ada', password, name: 'n', app: 'a' }
    assert.is((await ask('POST', '/api/v1/sign-in', body)).status, 401)
  }
})

test('guessing ends after ten tries; who was let in a short while ago reads on, and people sign in', async context => {
  const own = await ownReader(context)
  await own.ask('GET', '/users/auth')
  const guesser = readerAt(own.url, 'ada', 'guess')
  const statuses: number[] = []
  for (let count = 0; count < 11; count++) statuses.push((await guesser.ask('GET', '/users/auth')).status)
  assert.equal([new Set(statuses.slice(0, 10)), statuses[10]], [new Set([401]), 429])
  const held = await guesser.ask('GET', '/users/auth')
  assert.equal([held.json.code, Number(held.headers.get('retry-after')) > 0], [2000, true])
  assert.is((await own.ask('GET', '/users/auth')).status, 200)
  const body = { account: 'ada', password: 'correct horse', name: 'n', app: 'a' }
  assert.is((await own.ask('POST', '/api/v1/sign-in', body)).status, 200)
})

test('a key that is remembered cannot be guessed at without end: fifty failures of an address hold it back', async context => {
  const own = await ownReader(context)
  await own.ask('GET', '/users/auth')
  const guesser = readerAt(own.url, 'ada', 'guess')
  for (let count = 0; count < 50; count++) assert.is.not((await guesser.ask('GET', '/users/auth')).status, 200)
  assert.is((await own.ask('GET', '/users/auth')).status, 429)
})

test.run()
