import * as assert from 'uvu/assert'
import { createHash, randomBytes } from 'node:crypto'
import { assert as always, property, string, stringMatching } from 'fast-check'
import { issueToken, matches, parseToken } from '../../../server/auth/tokens.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/auth/tokens')

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const name = stringMatching(/^[0-9A-Za-z_-]{1,64}$/)

test('a token gives back its account, its device and a secret that matches', () => {
  always(
    property(name, name, (account, device) => {
      const { token, secretHash } = issueToken(account, device, randomBytes)
      const parsed = parseToken(token)
      assert.is(parsed?.account, account)
      assert.is(parsed?.device, device)
      assert.is(parsed?.secret.length, 32)
      assert.ok(matches(parsed!.secret, secretHash))
    })
  )
})

test('a token is one URL-safe word that begins with lectern_', () => {
  assert.match(issueToken('ann', 'phone', randomBytes).token, /^lectern_[A-Za-z0-9_-]{50,}$/)
})

test('the hub keeps the SHA-256 of the secret, and not the secret', () => {
  const secret = Buffer.alloc(32, 7)
  const { secretHash } = issueToken('ann', 'phone', () => secret)
  assert.is(Buffer.from(secretHash).toString('hex'), createHash('sha256').update(secret).digest('hex'))
})

test('another secret does not match, and neither does a hash of another length', () => {
  const { secretHash } = issueToken('ann', 'phone', randomBytes)
  const other = parseToken(issueToken('ann', 'phone', randomBytes).token)!
  assert.is(matches(other.secret, secretHash), false)
  assert.is(matches(other.secret, secretHash.subarray(1)), false)
  assert.is(matches(other.secret, new Uint8Array()), false)
})

test('a token with any one character changed is refused or does not match', () => {
  const { token, secretHash } = issueToken('ann', 'phone', randomBytes)
  for (let index = 0; index < token.length; index++) {
    for (const character of `${ALPHABET}=+/ .é`) {
      if (token[index] === character) continue
      const parsed = parseToken(token.slice(0, index) + character + token.slice(index + 1))
      const same = parsed?.account === 'ann' && parsed.device === 'phone' && matches(parsed.secret, secretHash)
      assert.is(same, false, `${character} at ${index}`)
    }
  }
})

test('a token has one spelling: padding, other alphabets, spaces, cuts and additions are refused', () => {
  const { token } = issueToken('ann', 'phone', () => Buffer.alloc(32, 255))
  const standard = token.slice(8).replaceAll('_', '/').replaceAll('-', '+')
  for (const text of [
    '',
    'lectern_',
    token.slice(8),
    `${token}=`,
    `${token}\n`,
    ` ${token}`,
    `${token}A`,
    token.slice(0, -1),
    `lectern_${standard}`,
    token.toUpperCase(),
    `Lectern_${token.slice(8)}`
  ])
    assert.is(parseToken(text), undefined, text)
})

test('a token whose lengths do not add up is refused', () => {
  const of = (...bytes: number[]): string =>
    `lectern_${Buffer.from([...bytes, ...Array<number>(32).fill(1)]).toString('base64url')}`
  assert.ok(parseToken(of(1, 97, 1, 98)))
  for (const text of [
    of(),
    of(0, 1, 98),
    of(1, 97, 0),
    of(255, 97, 1, 98),
    of(1, 97, 255, 98),
    of(1, 97, 1, 98, 0),
    of(1, 0xff, 1, 98),
    of(1, 0, 1, 98),
    of(1, 97, 2, 98, 10),
    of(65, ...Array<number>(65).fill(97), 1, 98)
  ])
    assert.is(parseToken(text), undefined)
})

test('no text makes the parser throw, and a long one costs nothing', () => {
  assert.is(parseToken(`lectern_${'A'.repeat(100_000_000)}`), undefined)
  always(property(string({ unit: 'binary' }), text => void parseToken(`lectern_${text}`)))
})

test("names that do not fit are the caller's mistake", () => {
  for (const [account, device] of [
    ['', 'phone'],
    ['ann', ''],
    ['a'.repeat(65), 'phone'],
    ['é', 'phone'],
    ['ann', 'pho\0ne'],
    ['ann', 'phone\n'],
    ['\ud83d', 'phone']
  ] as const)
    assert.throws(() => issueToken(account, device, randomBytes), /1 to 64 letters/)
  assert.throws(() => issueToken('ann', 'phone', () => new Uint8Array(16)), /32 random bytes/)
})

test.run()
