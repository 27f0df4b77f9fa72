import { exit, stderr, versions } from 'node:process'

/** Imported before everything else: on an older Node the rest fails in ways that say nothing. */
if (Number(versions.node.split('.')[0]) < 20) {
  stderr.write(`lectern needs Node 20 or newer; this is ${versions.node}\n`)
  exit(2)
}
