import { createPublicKey } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { HubError } from '../../../protocol/index.ts'
import { checkAccount } from '../../../server/core/check-account.ts'
import { DeviceKeys } from '../../../server/dialects/timelimit/device-keys.ts'
import { TimeLimitHousehold } from '../../../server/dialects/timelimit/household.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { suite } from '../../util/suite.ts'
import { seal } from '../../util/timelimit-seal.ts'
import { CHILD, FamilyScene, passwordOf, PHONE } from './family-scene.ts'

const test = suite('dialects/timelimit/device-keys')

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const SECRET = Buffer.alloc(32, 7)
const codeOf = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return (error as HubError).code
  }
}

test('what openssl agrees on with the key is what opens it', () => {
  // The sender's key is of `openssl ecparam -name prime256v1 -genkey`, the secret of `openssl pkeyutl -derive`, and the sealing of Python's cryptography.
  const keys = new DeviceKeys(SECRET)
  const nowMs = 1_700_000_000_000
  const { v, k } = keys.newest('phone1', nowMs)
  assert.equal(
    [v, k],
    [
      '3bb3fa16',
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZfK3iT+cL6oXyA+uJ8LXTxutHH3CsEU/uMVnq6+J17dwGAuqjBNzUkFRH4cnIWNADeGhDe/IlEpOXE+9z3T1lA=='
    ]
  )
  const sealed = [
    'AAECAwQFBgcICQoLx3oEtepGGpad8BhG/nBX4lgIFKZfwZuw2wprLkjebB3NoebyKdjH9PO/5igh0xiNvyRlOm9Gd/0C3nb3Wvku0K3pNsLP+cxK7nz2cw==',
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEcUbkO/GJ/g8XvjyhyukRxEFaG44XGInp3+BEIM0GLyVMBo2ERQDxluPV6YXUT9unEx/em7E4OvMbbyHoAf8KA==',
    v
  ].join('.')
  const given = `ParentPassword:$2a$12$${'h'.repeat(53)}:$2a$12$${'s'.repeat(22)}`
  assert.is(keys.unseal('phone1', nowMs, sealed, given), `$2a$12$${'x'.repeat(53)}`)
  assert.is(
    codeOf(() => keys.unseal('phone2', nowMs, sealed, given)),
    'bad-action'
  )
})

test('a key is of P-256, of one device, one day and one secret, and the same after a restart', () => {
  const [first, again, other] = [SECRET, SECRET, Buffer.alloc(32, 8)].map(secret => new DeviceKeys(secret))
  const noonMs = 20_000.5 * DAY_MS
  const { v, k } = first!.newest('phone1', noonMs)
  const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey({
    key: Buffer.from(k, 'base64'),
    format: 'der',
    type: 'spki'
  })
  assert.equal([asymmetricKeyType, asymmetricKeyDetails!.namedCurve], ['ec', 'prime256v1'])
  assert.equal(again!.newest('phone1', noonMs + 11 * 3_600_000), first!.newest('phone1', noonMs))
  const others = [
    first!.newest('phone1', noonMs + 12 * 3_600_000),
    first!.newest('phone2', noonMs),
    other!.newest('phone1', noonMs)
  ]
  for (const key of others) assert.ok(key.v !== v && key.k !== k)
})

test('the hub keeps what its keys come from, and another store gives others', async () => {
  const store = new MemoryStore()
  const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => Math.floor(Math.random() * 256))
  const opened = async (of: MemoryStore): Promise<string> => (await DeviceKeys.open(of, random)).newest('phone1', 0).v
  assert.is(await opened(store), await opened(store))
  assert.is.not(await opened(store), await opened(new MemoryStore()))
})

test('a key is good until two hours and a quarter after its day', async () => {
  const keys = new DeviceKeys(SECRET)
  const scene = await FamilyScene.open(new MemoryStore(), keys)
  const { clock } = scene.core
  clock.step((Math.floor(clock.nowMs() / DAY_MS) + 1) * DAY_MS - MINUTE_MS - clock.nowMs())
  const key = keys.newest(PHONE, clock.nowMs())
  const change = (name: string) => ({
    type: 'SET_CHILD_PASSWORD',
    childId: CHILD,
    newPassword: { ...seal(passwordOf(name), key) }
  })
  await scene.parent(change('first'))
  clock.step(2 * MINUTE_MS)
  assert.is.not(keys.newest(PHONE, clock.nowMs()).v, key.v)
  await scene.parent(change('late'))
  clock.step(133 * MINUTE_MS)
  await scene.parent(change('last'))
  clock.step(MINUTE_MS)
  await scene.parentFails(change('too late'))
  assert.is(scene.user(CHILD).password, passwordOf('last').hash)
})

test('the log has what was in a sealed password, which folds without keys; a household without keys refuses a sealed one', async () => {
  const keys = new DeviceKeys(SECRET)
  const scene = await FamilyScene.open(new MemoryStore(), keys)
  const password = { ...seal(passwordOf('new'), keys.newest(PHONE, scene.core.clock.nowMs())) }
  const body = { type: 'SET_CHILD_PASSWORD', childId: CHILD, newPassword: password }
  await scene.parent(body)
  assert.is(scene.family.get('user', CHILD)!.secondHash, passwordOf('new').secondHash)
  const { account, core } = scene
  account.storeRecords()
  await account.settled()
  const wrong: string[] = []
  await checkAccount(core.store, account.id, what => wrong.push(what), new TimeLimitHousehold())
  assert.equal(wrong, [])
  const log = Buffer.concat((await core.store.read(account.id, 0, Number.MAX_SAFE_INTEGER)).map(({ run }) => Buffer.from(run)))
  assert.not.ok(log.includes(password.secondHash.slice(0, 40)))
  assert.not.ok(JSON.stringify(core.logger.lines).includes(password.secondHash))
  const keyless = await FamilyScene.open()
  await keyless.parentFails(body)
})

test.run()
