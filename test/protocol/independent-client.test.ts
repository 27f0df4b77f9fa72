import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { serveHub } from '../../server/hub.ts'
import { loadConfig } from '../../server/options.ts'
import { suite } from '../util/suite.ts'
import { temporaryFolder } from '../util/folder.ts'

const script = fileURLToPath(new URL('independent-client.py', import.meta.url))
const quiet = { debug() {}, info() {}, warn() {}, error: (fields: object, message: string) => console.error(message, fields) }

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 9)'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const holds = (found: object, expected: object): void => assert.equal({ ...found, ...expected }, found)

const test = suite('protocol/README')

test('a client written from the README in another language pairs, writes and reads', async ({ defer }) => {
  if (!hasPython()) {
    assert.is.not(process.env['CI'], 'true', 'CI needs python3 3.9 or newer for this test')
    console.log('SKIPPED: the independent client needs python3 3.9 or newer')
    return
  }
  const dataFolder = temporaryFolder({ defer })
  const hub = await serveHub(loadConfig({}, { dataFolder, port: '0', mapSizeGiB: '1' }), quiet)
  defer(() => hub.close())
  const account = await hub.directory.add('ada')
  const { code } = hub.pairing.open(account.id)

  const { stdout } = await promisify(execFile)('python3', [script, hub.url, code.toLowerCase()])

  const { books, annotations, ...seen } = JSON.parse(stdout) as Record<string, unknown> &
    Record<'books' | 'annotations', [string, object][]>
  assert.equal(seen, {
    version: 1,
    head: 1,
    isThisDevice: true,
    changes: [
      ['', 0, 'device.put'],
      ['python-1', 1, 'book.put'],
      ['python-1', 2, 'annotation.update']
    ],
    accepted: [
      [1, 2],
      [2, 3],
      [1, 2]
    ],
    refused: [[3, 'bad-action', 'body.rating']],
    book: 'not-found'
  })
  assert.is(books[0]![0], 'emma')
  holds(books[0]![1], { title: 'Emma', authors: ['Jane Austen'], rating: 4.5, identifiers: {}, removed: false, cursor: 2 })
  assert.is(annotations[0]![0], 'a1')
  holds(annotations[0]![1], { kind: 'highlight', quote: 'handsome, clever, and rich', note: 'é😀' })
})

test.run()
