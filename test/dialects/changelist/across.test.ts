import { createHash, randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { restHub, type RestDevice } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { changeListXml, envelope, serviceOf, SOAP_11, textIn } from './service.ts'

const test = suite('dialects/changelist/across')

const contentOf = (text: string): { sha256: string; size_bytes: number } => ({
  sha256: createHash('sha256').update(text).digest('hex'),
  size_bytes: Buffer.byteLength(text)
})

async function upload(device: RestDevice, path: string, text: string, base?: string): Promise<void> {
  const based = base === undefined ? {} : { base_sha256: contentOf(base).sha256 }
  const { json } = await device.ask('POST', '/upload', { path, ...contentOf(text), ...based })
  await device.ask('PUT', `/upload/${json.id}/chunks/0`, Buffer.from(text))
  const { status, text: answer } = await device.ask('POST', `/upload/${json.id}/complete`)
  assert.is(status, 200, answer)
}

async function report(device: RestDevice, entry: object): Promise<void> {
  const { json, text } = await device.ask('POST', '/report', { entries: [entry] })
  assert.is(json.results?.[0]?.result, 'accepted', text)
}

test('what is done by the native REST is told by SOAP: created, modified, renamed, deleted', async context => {
  const hub = await restHub(context)
  const [device, soap] = [await hub.device(), await serviceOf(hub)]
  // A folder of its own, in whatever account this is.
  const folder = `soap ${randomUUID()}`
  let date = textIn((await soap.list('<LocalDate>9999-01-01</LocalDate>')).text, 'SyncEndDate')
  let id = ''
  const told = async (): Promise<{ files: string[][]; folders: string[][]; header: string }> => {
    const { status, text } = await soap.list(`<LocalDate>${date}</LocalDate><ChangeType>3</ChangeType>`)
    assert.is(status, 200, text)
    date = textIn(text, 'SyncEndDate')
    const items = (name: string): string[] =>
      [...text.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'g'))]
        .map(([, item]) => item!)
        .filter(item => textIn(item, 'Path').startsWith(folder))
    const files = items('ChangeFileItem')
    for (const file of files) {
      if (id === '') id = textIn(file, 'ItemId')
      assert.is(textIn(file, 'ItemId'), id)
    }
    const fields = (item: string, ...names: string[]): string[] => names.map(name => textIn(item, name))
    return {
      files: files.map(item => fields(item, 'Path', 'Name', 'ActionCode', 'Size', 'Checksum')),
      folders: items('ChangeItem').map(item => fields(item, 'Path', 'ActionCode')),
      header: textIn(text, 'HeaderChanged')
    }
  }
  const [first, second] = [contentOf('first'), contentOf('second!')]

  await upload(device, `${folder}/a.txt`, 'first')
  assert.equal(await told(), {
    files: [[`${folder}/a.txt`, 'a.txt', '1', '5', first.sha256]],
    folders: [[folder, '1']],
    header: 'true'
  })
  await upload(device, `${folder}/a.txt`, 'second!', 'first')
  assert.equal((await told()).files, [[`${folder}/a.txt`, 'a.txt', '2', '7', second.sha256]])
  await report(device, { change: 'moved', from: `${folder}/a.txt`, path: `${folder}/b/c.txt`, ...second })
  assert.equal(await told(), {
    files: [[`${folder}/b/c.txt`, 'c.txt', '4', '7', second.sha256]],
    folders: [[`${folder}/b`, '1']],
    header: 'false'
  })
  await report(device, { change: 'deleted', path: `${folder}/b/c.txt`, base_sha256: second.sha256 })
  assert.equal(await told(), {
    files: [[`${folder}/b/c.txt`, 'c.txt', '3', '7', second.sha256]],
    folders: [
      [folder, '3'],
      [`${folder}/b`, '3']
    ],
    header: 'true'
  })
  assert.equal((await told()).files, [])
})

test('the token of a device of the native REST, and its access token, list the files', async context => {
  const hub = await restHub(context)
  const [{ token }, { access_token }, soap] = [await hub.device(), await hub.login(), await serviceOf(hub)]
  for (const given of [token, access_token]) {
    const inside = await soap.post(envelope(SOAP_11, changeListXml(given)))
    const outside = await soap.post(envelope(SOAP_11, changeListXml('')), { authorization: `Bearer ${given}` })
    assert.equal([inside.status, outside.status], [200, 200])
  }
})

test.run()
