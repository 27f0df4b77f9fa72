import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { createClientAsync } from 'soap'
import { holdContent } from '../../../server/core/files/contents.ts'
import { Origin } from '../../../server/core/origin.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { ownService } from './service.ts'

const test = suite('dialects/changelist/clients')

const SHA = 'a'.repeat(64)
const FILES = ['Austen/Emma & é.epub', 'top.txt']

/** A service with two files, one of them in a folder, and what its lists say of them. */
async function scene(context: TestContext): Promise<Awaited<ReturnType<typeof ownService>>> {
  const own = await ownService(context)
  await holdContent(own.account, 'phone', SHA, 5)
  for (const path of FILES) await own.account.perform(new Origin('phone', ''), 'file.put', path, { sha256: SHA, sizeBytes: 5 })
  return own
}

for (const forceSoap12Headers of [false, true])
  test(`the npm client "soap" reads the description and calls ChangeList in SOAP ${forceSoap12Headers ? '1.2' : '1.1'}`, async context => {
    const own = await scene(context)
    const client = await createClientAsync(`${own.url}?WSDL`, { forceSoap12Headers })
    const login = { APIKey: 'k', OrgID: 0, UserName: own.userName, Password: own.password }
    const [{ LoginResult }] = await client['AccountLoginAsync'](login)
    assert.equal(LoginResult, { ErrorMessage: '', Token: own.token, ClientEncryptedPassword: '' })
    const list = async (LocalDate: string, more: object = {}): Promise<any> => {
      const parameters = { Token: own.token, Parameters: { LocalDate, ChangeType: 3, ...more } }
      return (await client['ChangeListAsync'](parameters))[0].ChangeListResult
    }
    const first = await list('0001-01-01T00:00:00')
    assert.equal(
      first.ChangedFileList.ChangeFileItem.map((file: any) => [file.Path, file.Size, file.Checksum, file.ActionCode]),
      FILES.map(path => [path, 5, SHA, 1])
    )
    assert.equal(first.ChangedFolderList.ChangeItem.map(({ Path }: any) => Path), ['Austen']) // prettier-ignore
    assert.equal([first.FullSync, first.HeaderChanged, first.OffsetDate], [true, true, 0])
    const { ItemId } = first.ChangedFileList.ChangeFileItem[0]
    const fewer = await list('0001-01-01T00:00:00', { FileExceptionList: { long: [String(ItemId), '9223372036854775807'] } })
    assert.equal(fewer.ChangedFileList.ChangeFileItem.map(({ Path }: any) => Path), ['top.txt']) // prettier-ignore
    const next = await list((first.SyncEndDate as Date).toISOString())
    assert.equal([next.FullSync, next.HeaderChanged], [false, false])
    const refused = await client['ChangeListAsync']({ Token: 'nobody' }).catch((error: unknown) => error as Error)
    assert.match((refused as Error).message, 'the token or password is not valid')
  })

const python = '/usr/bin/python3'

function hasZeep(): boolean {
  try {
    execFileSync(python, ['-c', 'import zeep'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test("Debian's python3-zeep reads the description and calls ChangeList in both versions", async context => {
  if (!hasZeep()) {
    assert.is.not(process.env['CI'], 'true', 'CI needs the package python3-zeep for this test')
    console.log('SKIPPED: the client of python3-zeep needs that package of Debian')
    return
  }
  const own = await scene(context)
  const script = fileURLToPath(new URL('zeep-client.py', import.meta.url))
  const { stdout } = await promisify(execFile)(python, [script, own.url, own.userName, own.password])
  const told = JSON.parse(stdout) as Record<string, { end: number; folders: [string, number, number][] }>
  assert.equal(Object.keys(told), ['SyncAPISoap', 'SyncAPISoap12'])
  for (const [port, { end, folders, ...rest }] of Object.entries(told)) {
    const [path, folder, code] = folders[0]!
    assert.equal([folders.length, path, code], [1, 'Austen', 1])
    assert.ok(end * 1e6 <= own.account.timeUs)
    assert.equal(rest, {
      message: null,
      files: FILES.map((path, at) => [path, path.replace('Austen/', ''), at === 0 ? folder : 0, 5, SHA, 1]),
      full: true,
      header: true,
      offset: 0,
      rest: [null, 1],
      again: [false, null, null, true],
      fault: [port === 'SyncAPISoap' ? 'soap:Client' : 'soap:Sender', 'the token or password is not valid; sign in again']
    })
  }
})

test.run()
