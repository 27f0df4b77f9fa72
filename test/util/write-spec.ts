import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fillTables, wireHash } from '../../protocol/spec.ts'

/** Brings what is written down of the wire up to its tables: the marked parts of the README, and `WIRE_HASH`. Run it after a change of the tables. */
const rewrite = (name: string, change: (text: string) => string): void => {
  const file = new URL(`../../protocol/${name}`, import.meta.url)
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

const hash = wireHash(text => createHash('sha256').update(text).digest('hex'))

rewrite('README.md', fillTables)
rewrite('version.ts', text => text.replace(/WIRE_HASH = '[0-9a-f]*'/, `WIRE_HASH = '${hash}'`))
