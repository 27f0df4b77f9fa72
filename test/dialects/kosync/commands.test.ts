import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { bookHashes } from '../../../server/files/book-hashes.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { HubProcess } from '../../util/hub-process.ts'
import { lectern } from '../../util/lectern.ts'
import { makeEpub } from '../../util/make-epub.ts'
import { suite } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'
import { md5, newDocument, readerAt } from './reader.ts'

const test = suite('dialects/kosync/commands')

test('commands set the key, link books and import them, while a hub runs or not, and what readers set is there after a restart', async context => {
  const folder = temporaryFolder(context)
  const hub = new HubProcess(join(folder, 'data'))
  context.defer(() => hub.kill('SIGKILL'))
  const said = async (words: readonly string[], typed?: string): Promise<string> => {
    const { code, out, err } = await lectern([...words, '--data', hub.dataFolder], { ...(typed !== undefined && { typed }) })
    assert.is(code, 0, err)
    return out
  }
  await hub.start()
  assert.match(await said(['account', 'kosync', 'reader'], 'page turner\n'), 'KOReader signs in as reader')
  const path = join(folder, 'emma.epub')
  writeFileSync(path, makeEpub({ title: 'Emma' }))
  const [{ koreaderMd5: emma }, moby] = [await bookHashes(path), newDocument()]
  const reader = readerAt(hub.url, 'reader', 'page turner')
  assert.is((await reader.put(emma, '10', 0.1)).status, 200)
  assert.is((await reader.put(moby, '20', 0.2, { metadata: { title: 'Moby-Dick' } })).status, 200)
  await hub.kill('SIGTERM')

  assert.match(await said(['account', 'kosync', 'reader', '--answers', 'furthest']), 'are told the furthest position')
  const book = /book=(\S+)/.exec(await said(['import', path]))![1]!
  assert.match(await said(['book', 'unlinked']), `document=${moby}  percentage=0.2  device=Libra`)
  assert.match(await said(['book', 'link', book, moby]), `identifier=koreader:${moby}`)

  await hub.start()
  const wire = new WireClient()
  context.defer(() => wire.close())
  await wire.connect(hub.url, (await hub.pair('reader', 'desk')).token)
  assert.equal(
    (await wire.list('positions', book)).map(([, { progression }]) => progression),
    [0.2]
  )
  assert.is((await reader.put(emma, '5', 0.05, { device: 'Kobo', device_id: 'C3' })).status, 200)
  assert.is((await reader.get(emma)).progress, '20', 'the furthest')
  const kept = readdirSync(hub.dataFolder).filter(name => name.startsWith('store'))
  for (const secret of ['page turner', md5('page turner')])
    assert.not(
      kept.some(name => readFileSync(join(hub.dataFolder, name)).includes(secret)),
      'the key is in the store'
    )
  await hub.operate('account.kosync', { account: 'reader', off: true })
  assert.is((await reader.ask('GET', '/users/auth')).status, 401)
})

test.run()
