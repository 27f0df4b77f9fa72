import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fillTables, wireHash } from '../../protocol/spec.ts'
import { ACTION_TABLES } from '../../server/dialects/timelimit/action-tables.ts'

/** Brings what is written down of tables up to them: the marked parts of READMEs, and `WIRE_HASH`. Run it after a change of the tables. */
const rewrite = (name: string, change: (text: string) => string): void => {
  const file = new URL(`../../${name}`, import.meta.url)
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

const hash = wireHash(text => createHash('sha256').update(text).digest('hex'))

rewrite('protocol/README.md', text => fillTables(text))
rewrite('server/dialects/timelimit/README.md', text => fillTables(text, ACTION_TABLES))
rewrite('protocol/version.ts', text => text.replace(/WIRE_HASH = '[0-9a-f]*'/, `WIRE_HASH = '${hash}'`))
