import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { temporaryFolder } from '../util/folder.ts'
import { ask, newPassword, type Told } from '../util/households.ts'
import { HubProcess } from '../util/hub-process.ts'
import { lectern } from '../util/lectern.ts'
import { servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'
import { codeOf, newFamily, timelimitHubAt } from '../util/timelimit-hub.ts'
import { WireClient } from '../util/wire-client.ts'

const test = suite('stories/families', { limitMs: 60_000 })

const MAIL = 'ada@example.org'

/** Runs a command on the hub's folder, and gives what it printed. */
async function command({ dataFolder }: HubProcess, ...words: string[]): Promise<string> {
  const { code, out, err } = await lectern([...words, '--data', dataFolder])
  assert.is(code, 0, err)
  return out
}

/** Makes a family with the address, whose code the operator reads. */
async function makeFamily(hub: HubProcess, parentPassword: object): Promise<Told> {
  const begun = await ask(hub.url, '/auth/send-mail-login-code-v2', { mail: MAIL, locale: 'en' })
  const receivedCode = (await command(hub, 'household', 'code', MAIL)).trim()
  const signed = await ask(hub.url, '/auth/sign-in-by-mail-code', { ...begun.body, receivedCode })
  const about = { parentDevice: { model: 'phone' }, deviceName: 'first', timeZone: 'Europe/Berlin', parentName: 'Ada' }
  return ask(hub.url, '/parent/create-family', { ...signed.body, ...about, parentPassword })
}

const pull = async (hub: { readonly url: string }, deviceAuthToken: string): Promise<Told> =>
  ask(hub.url, '/sync/pull-status', { deviceAuthToken, status: { devices: '', users: '', apps: {}, categories: {} } })

const isRemoved = async (hub: { readonly url: string }, deviceAuthToken: string): Promise<boolean> =>
  (await ask(hub.url, '/sync/is-device-removed', { deviceAuthToken })).body.isDeviceRemoved as boolean

async function letIn(hub: HubProcess): Promise<{ token: string; device: string }> {
  const { words: registerToken } = await hub.operate<{ words: string }>('household.device', { account: 'reader' })
  const { body } = await ask(hub.url, '/child/add-device', { registerToken, deviceName: 'tablet', childDevice: { model: 'x' } })
  return { token: body.deviceAuthToken as string, device: body.ownDeviceId as string }
}

test('a family in the account of a library: who reads there sees it live; no power cut, backup or empty store lets a device think that it was removed', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  await hub.operate('household.create', { account: 'reader', mail: MAIL })
  const { token: libraryToken } = await hub.pair('reader', 'laptop')
  const session = new WireClient()
  context.defer(() => session.close())
  await session.connect(hub.url, libraryToken)
  const password = newPassword()
  const made = await makeFamily(hub, password)
  assert.is(made.status, 200)
  const parent = made.body.deviceAuthToken as string
  const early = await letIn(hub)
  const types = (): unknown[] => session.changes.flatMap(([, , , , , , kind, key]) => (kind === 'household.act' ? [key] : []))
  while (types().length < 2) await session.next('changes')
  assert.equal(types(), ['CREATE_FAMILY', 'ADD_DEVICE'])
  assert.not.ok(JSON.stringify(session.changes).includes(password.secondHash))
  assert.match(await command(hub, 'household', 'list'), /account=reader {2}parents=\["Ada <ada@example.org>"\]/)

  const backup = join(temporaryFolder(context), 'backup')
  await command(hub, 'backup', backup)
  const late = await letIn(hub)
  const removed = { deviceAuthToken: parent, deviceId: early.device, parentUserId: made.body.data.users.data[0].id as string }
  const told = await ask(hub.url, '/parent/remove-device', { ...removed, parentPasswordSecondHash: password.secondHash })
  assert.equal(told.body, { ok: true })
  await hub.kill()
  await hub.start()
  assert.equal(
    [await isRemoved(hub, parent), await isRemoved(hub, early.token), await isRemoved(hub, late.token)],
    [false, true, false]
  )
  assert.equal([(await pull(hub, parent)).status, (await pull(hub, late.token)).status], [200, 200])

  const restored = join(temporaryFolder(context), 'restored')
  assert.is((await lectern(['restore', backup, '--data', restored])).code, 0)
  const older = await servingHub(context, { dataFolder: restored })
  assert.equal([(await pull(older, early.token)).status, (await pull(older, late.token)).status], [200, 401])
  const empty = await servingHub(context)
  for (const { token } of [early, late])
    assert.equal(
      [await isRemoved(older, token), await isRemoved(empty, token), (await pull(empty, token)).status],
      [false, false, 401]
    )
})

test('on a hub that was restored devices get keys that were asked for since, though they saw higher numbers before', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const family = await newFamily(timelimitHubAt(hub.url, mail => codeOf(hub.dataFolder, mail)))
  const { device: asks } = family
  const answers = await family.join()
  const backup = join(temporaryFolder(context), 'backup')
  await command(hub, 'backup', backup)
  const bytes = (length: number): string => Buffer.alloc(length).toString('base64')
  const sent = { tempKey: bytes(32), signature: bytes(64) }
  /** What the one is told of the other's request, and the other of its answer. */
  const exchange = async (dsn: number): Promise<unknown[]> => {
    await asks.act(asks.appLogic({ type: 'SEND_KEY_REQUEST', dsn, dataType: 1, ...sent }))
    const { krq = [] } = await answers.pull()
    for (const { srvSeq: rsn } of krq)
      await answers.act(answers.appLogic({ type: 'REPLY_TO_KEY_REQUEST', rsn, encryptedKey: bytes(16), ...sent }))
    const { kr = [] } = await asks.pull()
    return [krq, kr].map(items => items.map(({ senSeq, rqSeq }: Record<string, number>) => senSeq ?? rqSeq))
  }
  for (const dsn of [1, 2, 3]) assert.equal(await exchange(dsn), [[dsn], [dsn]])
  await hub.kill()

  const restored = join(temporaryFolder(context), 'restored')
  assert.is((await lectern(['restore', backup, '--data', restored])).code, 0)
  const older = await servingHub(context, { dataFolder: restored })
  asks.url = answers.url = older.url
  assert.equal(await exchange(4), [[4], [4]])
})

test('codes need a hub that runs', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  await hub.kill('SIGTERM')
  const { dataFolder } = hub
  const { code, err } = await lectern(['household', 'code', '--data', dataFolder])
  assert.is(code, 2)
  assert.match(err, `no hub runs in ${dataFolder}; start it first`)
})

test.run()
