import { spawn } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { realData } from '../util/data.ts'
import { ended, lectern } from '../util/lectern.ts'
import { makeEpub } from '../util/make-epub.ts'
import { makeTrace } from '../util/make-trace.ts'
import { suite } from '../util/suite.ts'
import { temporaryFolder } from '../util/folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const test = suite('stories/demo', { limitMs: 10 * 60_000 })

test('two devices share a book, and every promise is kept', async ({ defer }) => {
  const folder = temporaryFolder({ defer })
  const paragraphs = Array.from(
    { length: 40 },
    (_, index) => `<p>Paragraph ${index} of a book that tells, at some length, of ${index} hills and ${index} rivers.</p>`
  )
  const made = join(folder, 'made.epub')
  writeFileSync(made, makeEpub({ title: 'Hills and Rivers', chapters: [{ name: 'one.xhtml', html: paragraphs.join('\n') }] }))
  const real = realData('books')
  const books = [made, ...(real === undefined ? [] : readdirSync(real).map(name => join(real, name)))]
  const { code, out, err } = await lectern(['demo', ...books])
  assert.is(code, 0, out + err)
  assert.is(out.match(/^ {2}kept /gm)?.length, 8 * books.length, out)
})

test('two people type one note at the same time, and all end with the text of the trace', async ({ defer }) => {
  const folder = temporaryFolder({ defer })
  const made = join(folder, 'made.json.gz')
  writeFileSync(made, makeTrace(2_000))
  const real = realData('traces/friendsforever.json.gz')
  const traces = [made, ...(real === undefined ? [] : [real])]
  const { code, out, err } = await lectern(['demo', '--trace', ...traces])
  assert.is(code, 0, out + err)
  assert.is(out.match(/^ {2}kept /gm)?.length, 4 * traces.length, out)
  for (const line of out.match(/^.*typed \d+ times.*$/gm) ?? []) process.stdout.write(`FIGURE: ${line.trim()}\n`)
})

test('the demo runs from the sources', async () => {
  const { code, err } = await ended(spawn(process.execPath, ['--import', 'tsx', join(root, 'server/main.ts'), 'demo']))
  assert.is(code, 2)
  assert.match(err, 'usage: npm run demo')
})

test('a file that is not there is named', async () => {
  for (const words of [
    ['demo', '/no/such.epub'],
    ['demo', '--trace', '/no/such.json.gz']
  ]) {
    const { code, err } = await lectern(words)
    assert.is(code, 2)
    assert.match(err, `there is no file ${words.at(-1)!}`)
  }
})

test('a book for a trace, and a trace for a book, are named, with what to do', async ({ defer }) => {
  const folder = temporaryFolder({ defer })
  const [trace, book] = [join(folder, 'made.json.gz'), join(folder, 'made.epub')]
  writeFileSync(trace, makeTrace(1))
  writeFileSync(book, makeEpub({ title: 'Hills' }))
  for (const [words, text] of [
    [['demo', trace], `${trace} is no EPUB; is it a trace? Then: npm run demo -- --trace ${trace}`],
    [['demo', '--trace', book], `${book} is no trace (gzipped JSON); leave --trace out for an EPUB`]
  ] as const) {
    const { code, err } = await lectern(words)
    assert.equal([code, err], [2, `demo: ${text}\n`])
  }
})

test.run()
