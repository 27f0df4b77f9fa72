import * as assert from 'uvu/assert'
import { revokeDevice } from '../../../server/auth/devices.ts'
import { createPublishing } from '../../../server/files/publishing.ts'
import type { UploadRecord } from '../../../server/files/upload-record.ts'
import { coreHub } from '../../util/core-hub.ts'
import { suite } from '../../util/suite.ts'
import { refusal } from '../../util/upload-scene.ts'

const test = suite('server/files/publishing')

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)] as const

async function scene() {
  const core = coreHub()
  const { account, devices } = await core.account('phone', 'laptop')
  const { publish, contentBytes } = createPublishing(core.hub)
  const upload = (name: string, sha256: string, more: Partial<UploadRecord> = {}): UploadRecord => ({
    id: 'u1',
    account: account.id,
    device: devices[name]!.device,
    path: 'emma.epub',
    sizeBytes: 5,
    sha256,
    chunkBytes: 65_536,
    state: 'verified',
    openedAtMs: core.clock.nowMs(),
    expiresAtMs: 0,
    received: new Uint8Array(1),
    ...more
  })
  const at = (): string | undefined => account.views.get('files', 'emma.epub')?.content.sha256
  return { core, account, devices, publish, contentBytes, upload, at }
}

test('a finished upload is a content of the account and a file at its path, by the device that began it', async () => {
  const { account, devices, publish, contentBytes, upload, at } = await scene()
  const { cursor, conflict } = await publish(upload('phone', A, { mtimeMs: 7 }), false)
  assert.equal([cursor, conflict, at(), await contentBytes(account.id)], [account.head, undefined, A, 5])
  const { device, content } = account.views.get('files', 'emma.epub')!
  assert.equal([device, content], [devices['phone']!.device, { sha256: A, sizeBytes: 5, mtimeMs: 7 }])
})

test('an upload over what the client did not see is a conflict, and says so', async () => {
  const { account, publish, upload, at } = await scene()
  await publish(upload('phone', A), false)
  const { cursor, conflict } = await publish(upload('laptop', B), false)
  assert.equal([conflict, at()], [String(cursor), A])
  assert.is(account.views.get('conflicts', conflict!)?.client?.sha256, B)
})

test('a path is free unless a file or a folder is in its way', async () => {
  const { account, core, publish, upload } = await scene()
  const { mustTakeFile } = createPublishing(core.hub)
  await publish(upload('phone', A, { path: 'x/y' }), false)
  const paths = ['x', 'x/y', 'x/y/z', 'x/z']
  const refused = await Promise.all(paths.map(path => refusal(mustTakeFile(account.id, path))))
  assert.equal(refused, ['already-exists', '', 'already-exists', ''])
})

test('what was published before a hub was killed is not published again, whatever came since', async () => {
  const { account, core, publish, upload, at } = await scene()
  const first = upload('phone', A)
  core.clock.step(1_000)
  const { cursor } = await publish(first, false)
  await publish(upload('laptop', B, { base: A }), false)
  const { head } = account
  assert.equal(await publish(first, true), { cursor })
  assert.equal([account.head, at()], [head, B])
})

test('a conflict that was published before is not made again', async () => {
  const { account, publish, upload } = await scene()
  await publish(upload('phone', A), false)
  const outcome = await publish(upload('laptop', B), false)
  const { head } = account
  assert.equal([await publish(upload('laptop', B), true), account.head], [outcome, head])
})

test('what a device put before the upload began does not stand for it', async () => {
  const { account, core, publish, upload, at } = await scene()
  await publish(upload('phone', A), false)
  await publish(upload('phone', B, { base: A }), false)
  core.clock.step(1_000)
  await publish(upload('phone', A, { base: B }), true)
  assert.equal([at(), account.views.range('conflicts', [], '', 9)], [A, []])
})

test('a device that was cut off while its upload arrived puts nothing, and what it brought counts', async () => {
  const { account, contentBytes, devices, publish, upload, at } = await scene()
  await revokeDevice(account, devices['phone']!.device)
  assert.is(await refusal(publish(upload('phone', A), false)), 'device-revoked')
  assert.equal([at(), await contentBytes(account.id)], [undefined, 5])
})

test.run()
