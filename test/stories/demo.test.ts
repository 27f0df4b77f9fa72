import { spawn } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { makeEpub } from '../util/make-epub.ts'
import { suite } from '../util/suite.ts'
import { temporaryFolder } from '../util/folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const data = process.env['LECTERN_DATA'] ?? join(root, '../shared/data')

/** Runs `lectern demo …`, and gives back how it ended and what it printed. */
function demo(...words: string[]): Promise<{ code: number | null; printed: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'server/main.ts'), 'demo', ...words])
  let printed = ''
  child.stdout.on('data', chunk => (printed += chunk))
  child.stderr.on('data', chunk => (printed += chunk))
  return new Promise(resolve => child.once('close', code => resolve({ code, printed })))
}

const test = suite('stories/demo', { limitMs: 10 * 60_000 })

test('two devices share a book, and every promise is kept', async ({ defer }) => {
  const folder = temporaryFolder({ defer })
  const paragraphs = Array.from(
    { length: 40 },
    (_, index) => `<p>Paragraph ${index} of a book that tells, at some length, of ${index} hills and ${index} rivers.</p>`
  )
  const made = join(folder, 'made.epub')
  writeFileSync(made, makeEpub({ title: 'Hills and Rivers', chapters: [{ name: 'one.xhtml', html: paragraphs.join('\n') }] }))
  const real = join(data, 'books')
  const books = [made, ...(existsSync(real) ? readdirSync(real).map(name => join(real, name)) : [])]
  const { code, printed } = await demo(...books)
  assert.is(code, 0, printed)
  assert.is(printed.match(/^ {2}kept /gm)?.length, 8 * books.length, printed)
})

/**
 * A trace as two people might leave: one types at the front of the text, the other at its end, each now and then in the dark about the other.
 * So the outcome is known without merging anything.
 */
function makeTrace(length: number): Buffer {
  const txns: { parents: number[]; agent: number; patches: [number, number, string][] }[] = []
  const last: [number, number] = [-1, -1]
  /** How much of each one's text the two know: their own, and what they last heard of the other. */
  const known: [[number, number], [number, number]] = [
    [0, 0],
    [0, 0]
  ]
  const heard: [number, number] = [-1, -1]
  const texts: [string, string] = ['', '']
  const add = (agent: 0 | 1, position: number, text: string): void => {
    txns.push({
      parents: [...new Set([last[agent], heard[agent]])].filter(index => index >= 0),
      agent,
      patches: [[position, 0, text]]
    })
    last[agent] = txns.length - 1
    known[agent][agent] += text.length
  }
  add(0, 0, '|')
  heard[1] = 0
  known[1][0] = 1
  for (let index = 0; index < length; index++) {
    const agent = index % 3 === 0 ? 0 : 1
    const other = agent === 0 ? 1 : 0
    if (index % 7 === 0) {
      heard[agent] = last[other]
      known[agent][other] = known[other][other]
    }
    const letter = String.fromCharCode(97 + (index % 26))
    add(agent, agent === 0 ? 0 : known[1][0] + known[1][1], letter)
    texts[agent] = agent === 0 ? letter + texts[0] : texts[1] + letter
  }
  return gzipSync(JSON.stringify({ kind: 'concurrent', numAgents: 2, endContent: `${texts[0]}|${texts[1]}`, txns }))
}

test('two people type one note at the same time, and all end with the text of the trace', async ({ defer }) => {
  const folder = temporaryFolder({ defer })
  const made = join(folder, 'made.json.gz')
  writeFileSync(made, makeTrace(2_000))
  const real = join(data, 'traces/friendsforever.json.gz')
  const traces = [made, ...(existsSync(real) ? [real] : [])]
  const { code, printed } = await demo('--trace', ...traces)
  assert.is(code, 0, printed)
  assert.is(printed.match(/^ {2}kept /gm)?.length, 4 * traces.length, printed)
  for (const line of printed.match(/^.*typed \d+ times.*$/gm) ?? []) process.stdout.write(`FIGURE: ${line.trim()}\n`)
})

test.run()
