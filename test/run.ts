import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { joined } from './joined.ts'
import { hubProgram } from './util/hub-program.ts'

/**
 * Runs the test files, each in a process of its own, and ends with `N passed, N failed, N skipped`.
 * Arguments are parts of file names; without any, all files run. `--long` runs the long ones instead; `--all` runs both.
 */
const folder = fileURLToPath(new URL('.', import.meta.url))
const root = join(folder, '..')
const flags = new Set(process.argv.slice(2).filter(word => word.startsWith('--')))
const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'))
/** In the long set, beside the folder of that name: what runs there with other counts. */
const ALSO_LONG = ['stories/kill.test.ts']
/** What they measure is the machine's as well: nothing else runs beside them. */
const ALONE = ['long/idle-readers.test.ts', 'long/overload.test.ts', 'long/reconnect-storm.test.ts']
/** They wait for minutes, and do little else: they run beside the others. */
const WAITING = [
  'long/carriers.test.ts',
  'long/idle-carriers.test.ts',
  'long/slow-chunks.test.ts',
  'long/stopped.test.ts',
  'long/unread-answers.test.ts',
  'stories/carriers.test.ts'
]
/** They take longest, so that they begin first. */
const SLOW = /^(long|simulation|stories)\//

const runsLong = flags.has('--long') || flags.has('--all')
const isLong = (file: string): boolean => file.startsWith('long/') || (runsLong && ALSO_LONG.includes(file))
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.test.ts') && (wanted.length === 0 || wanted.some(part => file.includes(part))))
  .filter(file => (isLong(file) ? runsLong : !flags.has('--long')))
  .sort((left, right) => Number(SLOW.test(right)) - Number(SLOW.test(left)) || (left < right ? -1 : 1))

/** In a joined file packages are loaded before everything else: what takes the platform's place before them is run from its source. */
const FROM_SOURCE = /^simulation\//
const joinedAt = await joined(files.filter(file => !FROM_SOURCE.test(file)).map(file => `test/${file}`))
const programOf = (file: string): string[] =>
  FROM_SOURCE.test(file) ? ['--import', 'tsx', join(folder, file)] : ['--enable-source-maps', joinedAt(`test/${file}`)]

const environment: NodeJS.ProcessEnv = {
  ...(runsLong && { LECTERN_KILLS: '300' }),
  ...process.env,
  LECTERN_HUB_PROGRAM: hubProgram(),
  FORCE_COLOR: '0',
  UV_THREADPOOL_SIZE: '8'
}

interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Clock ticks that ended processes of this one took, and theirs; 0 where the platform does not say so. */
function ticksOfEnded(): number {
  if (process.platform !== 'linux') return 0
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return Number(fields[13]) + Number(fields[14])
}
/** As Linux counts for whoever reads that file. */
const TICK_SECONDS = 0.01
let ticksBefore = ticksOfEnded()

const count = (output: string, word: string): number => Number(new RegExp(`${word}:\\s+(\\d+)`).exec(output)?.[1] ?? 0)

function run(file: string): Promise<Outcome> {
  return new Promise(resolve => {
    const started = performance.now()
    const child = spawn(process.execPath, programOf(file), { cwd: root, env: environment })
    let output = ''
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    let cpuSeconds = 0
    child.on('exit', () => {
      const ticks = ticksOfEnded()
      cpuSeconds = (ticks - ticksBefore) * TICK_SECONDS
      ticksBefore = ticks
    })
    child.on('close', code => {
      const passed = count(output, 'Passed')
      const ran = count(output, 'Total')
      // A file that ran nothing, or ended badly after its last test, has failed too.
      const failed = Math.max(ran - passed, code === 0 && ran > 0 ? 0 : 1)
      // uvu may have begun the line with a suite's name or a dot for a test.
      const told = output.match(/(SKIPPED|FIGURE): .*/g) ?? []
      const skipped = told.filter(line => line.startsWith('SKIPPED')).length
      const seconds = ((performance.now() - started) / 1_000).toFixed(1)
      const took = `${seconds} s (${cpuSeconds.toFixed(1)} s CPU)`
      process.stdout.write(
        `${failed > 0 ? 'FAIL' : 'ok  '} ${relative(root, join(folder, file))}  ${passed} of ${ran}  ${took}\n`
      )
      // A stack trace may quote a whole compiled file.
      output = output.replace(/^(.{1000}).*$/gm, '$1…')
      const notable = failed > 0 ? output : told.join('\n')
      if (notable !== '') process.stdout.write(`${notable.trimEnd()}\n`)
      resolve({ passed: ran - failed < 0 ? passed : Math.min(passed, ran), failed, skipped })
    })
  })
}

const outcomes: Outcome[] = []

/** Runs these files, `width` at a time. */
async function runAll(queue: string[], width: number): Promise<void> {
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) outcomes.push(await run(file))
  }
  await Promise.all(Array.from({ length: width }, worker))
}

const among = (names: readonly string[]): string[] => files.filter(file => names.includes(file))

await Promise.all([
  runAll(among(WAITING), 1),
  runAll(
    files.filter(file => !ALONE.includes(file) && !WAITING.includes(file)),
    Math.min(2, availableParallelism())
  )
])
await runAll(among(ALONE), 1)

const sum = (key: keyof Outcome): number => outcomes.reduce((total, outcome) => total + outcome[key], 0)
process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`)
process.exitCode = sum('failed') > 0 || outcomes.length === 0 ? 1 : 0
