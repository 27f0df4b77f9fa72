import { createHash } from 'node:crypto'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { FilesClient } from '../../util/files-client.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { HubProcess } from '../../util/hub-process.ts'
import { lectern } from '../../util/lectern.ts'
import { suite } from '../../util/suite.ts'
import { API, changeListXml, envelope, SOAP_11, TEXT_XML, textIn, textsIn } from './service.ts'

const test = suite('dialects/changelist/restored', { limitMs: 60_000 })

const bytesOf = (text: string): Buffer => Buffer.from(text)
const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex')

test('whoever knows of changes that a restored hub lost is told everything once, and then what changes', async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const { token } = await hub.pair('reader', 'laptop')
  const files = (): FilesClient => new FilesClient(`${hub.url}/api/v1/sync`, token)
  const list = async (localDate: string): Promise<{ isFull: boolean; paths: string[]; end: string }> => {
    const headers = { 'content-type': TEXT_XML, soapaction: `${API}ChangeList` }
    const parameters = `<LocalDate>${localDate}</LocalDate><ChangeType>1</ChangeType>`
    const body = envelope(SOAP_11, changeListXml(token, parameters))
    const text = await (await fetch(`${hub.url}/api/syncapp/syncapi.asmx`, { method: 'POST', headers, body })).text()
    return { isFull: textIn(text, 'FullSync') === 'true', paths: textsIn(text, 'Path'), end: textIn(text, 'SyncEndDate') }
  }
  const put = async (path: string): Promise<string> => {
    assert.is((await files().upload(path, bytesOf(path))).status, 200)
    return (await list('9999-01-01')).end
  }
  const early = await put('early')
  const saved = await put('saved')
  const backup = join(temporaryFolder(context), 'backup')
  assert.is((await lectern(['backup', backup, '--data', hub.dataFolder])).code, 0)
  const lost = await put('lost')
  const entries = [{ change: 'deleted', path: 'saved', base_sha256: sha256Of('saved') }]
  const headers = { 'content-type': 'application/json' }
  const reported = await files().ask('POST', '/report', { body: JSON.stringify({ entries }), headers })
  assert.is(reported.json.results[0].result, 'accepted')
  const gone = (await list(lost)).end
  await hub.kill()

  const restored = join(temporaryFolder(context), 'restored')
  assert.is((await lectern(['restore', backup, '--data', restored])).code, 0)
  const older = new HubProcess(restored)
  context.defer(() => older.drop())
  await older.start()
  hub.url = older.url
  for (const localDate of [lost, gone])
    assert.equal(await list(localDate), { isFull: true, paths: ['early', 'saved'], end: saved })
  for (const [localDate, paths] of [
    [early, ['saved']],
    [saved, []]
  ] as const)
    assert.equal(await list(localDate), { isFull: false, paths: [...paths], end: saved })

  const later = await put('later')
  assert.equal(await list(gone), { isFull: true, paths: ['early', 'later', 'saved'], end: later })
  assert.equal(await list(saved), { isFull: false, paths: ['later'], end: later })
  assert.equal(await list(later), { isFull: false, paths: [], end: later })
})

test.run()
