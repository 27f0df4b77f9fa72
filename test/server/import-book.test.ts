import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { holdContent } from '../../server/core/files/contents.ts'
import { OPERATOR } from '../../server/core/origin.ts'
import { importBook } from '../../server/import-book.ts'
import { temporaryFolder } from '../util/folder.ts'
import { makeEpub } from '../util/make-epub.ts'
import { servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'

const test = suite('server/import-book')

test('a book whose name a folder has is put beside the folder', async context => {
  const hub = await servingHub(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const sha256 = 'a'.repeat(64)
  await holdContent(account, OPERATOR.device, sha256, 1)
  await account.perform(OPERATOR, 'file.put', 'Emma.epub/notes.txt', { sha256, sizeBytes: 1 })
  const epub = join(temporaryFolder(context), 'Emma.epub')
  writeFileSync(epub, makeEpub({ title: 'Emma' }))
  for (const isNew of [true, false]) {
    const imported = (await importBook(hub, account, epub)) as { isNew: boolean; title: string }
    assert.equal([imported.isNew, imported.title], [isNew, 'Emma'])
  }
  assert.equal(
    account.views.range('files', [], '', 9).map(([path]) => path),
    ['Emma (import).epub', 'Emma.epub/notes.txt']
  )
})

test.run()
