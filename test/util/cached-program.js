import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

/**
 * Runs the program beside this file, `main.cjs`, with what V8 made of it in an earlier run (`main.cache`), which takes a third of the time that a reading of it
 * takes. hub-program.ts puts a copy beside each program. Plain JavaScript, so that nothing has to be loaded to run it.
 *
 * `LECTERN_MAKE_CACHE` in the environment: keeps, at the end, what V8 made of it in this run.
 */
const beside = name => fileURLToPath(new URL(name, import.meta.url))

const path = beside('main.cjs')
const source = `(function (require, module, ownAddress) {${readFileSync(path, 'utf8')}\n})`
const isMaking = process.env['LECTERN_MAKE_CACHE'] !== undefined
const script = new Script(source, { filename: path, cachedData: isMaking ? undefined : readFileSync(beside('main.cache')) })
if (isMaking) process.once('exit', () => writeFileSync(beside('main.cache'), script.createCachedData()))
script.runInThisContext()(createRequire(path), { exports: {} }, import.meta.url)
