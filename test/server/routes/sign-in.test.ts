import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { AccountDirectory } from '../../../server/auth/accounts.ts'
import { createPairing } from '../../../server/auth/pairing.ts'
import { createPasswords } from '../../../server/auth/passwords.ts'
import { createSignInLimits } from '../../../server/auth/sign-in-limits.ts'
import { mountSignIn } from '../../../server/routes/sign-in.ts'
import { createHttpApp, type HttpApp } from '../../../server/transports/http.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/routes/sign-in')

const random = (count: number): Uint8Array => randomBytes(count)

async function app(): Promise<HttpApp> {
  const { hub, store, clock, logger } = coreHub()
  const directory = new AccountDirectory(store, createPasswords(), clock, random)
  await directory.add('anna', 'right')
  const made = createHttpApp(logger, () => '127.0.0.1', [])
  mountSignIn(made, {
    hub,
    directory,
    pairing: createPairing({ clock, randomBytes: random }),
    limits: createSignInLimits({ randomBytes: random, failuresPerAccount: 2 }),
    clock,
    randomBytes: random,
    urlsElsewhere: () => []
  })
  return made
}

const signIn = async (to: HttpApp, account: string, password: string): Promise<number> => {
  const body = JSON.stringify({ account, password, name: 'phone', app: 'test' })
  return (await to.request('/api/v1/sign-in', { method: 'POST', body }, { incoming: { socket: {} as Socket, headers: {} } }))
    .status
}

test('another spelling of a name gets no tries of its own', async () => {
  const to = await app()
  assert.is(await signIn(to, 'Anna ', 'right'), 200)
  assert.is(await signIn(to, 'anna', 'wrong'), 401)
  assert.is(await signIn(to, ' anna', 'wrong'), 401)
  assert.is(await signIn(to, 'anna  ', 'wrong'), 429)
  assert.is(await signIn(to, 'ANNA', 'right'), 429)
})

test('a name that no account can have is refused', async () => {
  assert.is(await signIn(await app(), 'an\0na', 'right'), 400)
})

test.run()
