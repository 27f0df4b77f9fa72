import { createHash, randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { Account } from '../../server/core/account.ts'
import { Origin } from '../../server/core/origin.ts'
import type { Joined } from '../../server/dialects/timelimit/households.ts'
import { randomWord } from '../../server/dialects/timelimit/words.ts'
import type { TestServingHub } from './serving-hub.ts'

/** What a call came to. */
export interface Told {
  readonly status: number
  readonly type: string
  readonly text: string
  /** The body, when it is JSON. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any
}

/** Asks the API of TimeLimit as its apps do. */
export async function ask(url: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Told> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body)
  })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  return {
    status: response.status,
    type,
    text,
    body: type.startsWith('application/json') ? (JSON.parse(text) as unknown) : undefined
  }
}

const word = (length: number): string => randomWord(count => randomBytes(count), length)
const bcrypt = (length: number): string => `$2a$12$${word(length)}`

/** Hashes in the form of bcrypt's, of no password. */
export const newPassword = (): Record<'hash' | 'secondHash' | 'secondSalt', string> => ({
  hash: bcrypt(53),
  secondHash: bcrypt(53),
  secondSalt: bcrypt(22)
})

export interface TestFamily {
  readonly hub: TestServingHub
  readonly mail: string
  readonly account: Account
  /** Of the parent. */
  readonly user: string
  readonly secondHash: string
  /** The one that the family was made with. */
  readonly first: Joined
  /** Lets another device in, past the words. */
  readonly join: (name?: string) => Promise<Joined>
  /** Does what a parent may, from the first device. */
  readonly act: (action: { readonly type: string } & Record<string, unknown>) => Promise<void>
}

/** A family of one parent and one device, past sign-in by mail. */
export async function testFamily(hub: TestServingHub): Promise<TestFamily> {
  const mail = `${word(12).toLowerCase()}@example.org`
  const password = newPassword()
  const first = await hub.households.create(
    { mail, name: 'Ada', timeZone: 'Europe/Berlin', password },
    { name: 'first', model: 'test' }
  )
  const { account } = first
  const { user } = (await hub.households.parentOf(mail))!
  return {
    hub,
    mail,
    account,
    user,
    first,
    secondHash: password.secondHash,
    join: (name = 'other') => hub.households.join(account, { deviceId: word(6), name, model: 'test' }),
    async act(action) {
      const encodedAction = JSON.stringify(action)
      const integrity = createHash('sha512').update(`-1${first.device}${password.secondHash}${encodedAction}`).digest('hex')
      const body = { sequenceNumber: -1, userId: user, integrity, encodedAction }
      await account.perform(new Origin(first.device, '', 'operator'), 'household.act', 'parent', body)
    }
  }
}

/** Proves an address by its code, which is read as the operator reads it. @returns the token that stands for it */
export async function mailToken(hub: TestServingHub, mail: string): Promise<string> {
  const begun = await ask(hub.url, '/auth/send-mail-login-code-v2', { mail, locale: 'en' })
  assert.is(begun.status, 200)
  const receivedCode = hub.households.codes.open().findLast(open => open.mail === mail)!.code
  const done = await ask(hub.url, '/auth/sign-in-by-mail-code', { ...begun.body, receivedCode })
  assert.is(done.status, 200)
  return done.body.mailAuthToken as string
}
