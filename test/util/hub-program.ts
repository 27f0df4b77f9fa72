import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const root = fileURLToPath(new URL('../../', import.meta.url))
let made: string | undefined

/** What `lectern` runs, in processes of their own. */
const PROGRAMS = ['server/main', 'client/demo/main', 'client/mirror-folder/main']

/**
 * The sources joined in one file for each program, made once in a process: such a file starts in less than half of the time that a loader of TypeScript
 * takes, and stories start hubs and commands by the hundred.
 * @returns the path of `lectern`'s
 */
export function hubProgram(): string {
  if (made !== undefined) return made
  // Under node_modules, so that packages are found from there.
  const folder = join(root, 'node_modules/.cache/lectern', String(process.pid))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  buildSync({
    entryPoints: PROGRAMS.map(program => join(root, `${program}.ts`)),
    outdir: folder,
    outbase: root,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline'
  })
  // One program finds another by the name of its source.
  for (const program of PROGRAMS) cpSync(join(folder, `${program}.js`), join(folder, `${program}.ts`))
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  for (const name of ['trial-child.js', 'trial-pages.js'])
    cpSync(join(root, 'server/storage', name), join(folder, 'server', name))
  made = join(folder, 'server/main.js')
  return made
}
