import { spawnSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))
let made: string | undefined

/** What `lectern` runs, in processes of their own. Without a word each ends by itself. */
const PROGRAMS = ['server/main', 'client/demo/main', 'client/mirror-folder/main']
/** Natively compiled, or with a program of their own: they are loaded from where they are. */
const NATIVE = ['lmdb', '@node-rs/argon2', 'msgpackr-extract', 'esbuild']

/**
 * The sources and packages joined in one file for each program, beside what V8 makes of it: such a program starts in a quarter of the time that a loader of
 * TypeScript takes, and stories start hubs and commands by the hundred. Made once in a process, or taken from the one that runs all tests
 * (`LECTERN_HUB_PROGRAM`).
 * @returns the path of `lectern`'s
 */
export function hubProgram(): string {
  made ??= process.env['LECTERN_HUB_PROGRAM'] ?? makeHubProgram()
  return made
}

function makeHubProgram(): string {
  // Under node_modules, so that packages are found from there.
  const folder = join(root, 'node_modules/.cache/lectern', String(process.pid))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  buildSync({
    entryPoints: PROGRAMS.map(program => join(root, `${program}.ts`)),
    outdir: folder,
    outbase: root,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    external: NATIVE,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // As cached-program.js names it.
    define: { 'import.meta.url': 'ownAddress' }
  })
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'))
  for (const name of ['trial-child.js', 'trial-pages.js'])
    copyFileSync(join(root, 'server/storage', name), join(folder, 'server', name))
  for (const program of PROGRAMS) {
    // One program finds another by the name of its source.
    for (const extension of ['js', 'ts'])
      copyFileSync(join(root, 'test/util/cached-program.js'), join(folder, `${program}.${extension}`))
    spawnSync(process.execPath, [join(folder, `${program}.js`)], { env: { ...process.env, LECTERN_MAKE_CACHE: '1' } })
  }
  return join(folder, 'server/main.js')
}
