import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runWorkload, type WorkloadResult } from './harness.ts'
import { describeMachine } from './machine.ts'
import { figure, machineLines, workloadLines } from './report.ts'
import { pinLoad, profileServers } from './server-process.ts'
import { WORKLOADS } from './workloads/index.ts'

const USAGE = `npm run bench -- [workload …] [--rounds N] [--seconds S] [--patience N] [--file-mib N] [--json FILE] [--profile FOLDER]

The beginning of a name stands for all workloads that have it. Without one, all run. A round that other processes disturb is
run again at most --patience times.

${WORKLOADS.map(({ name, text }) => `  ${name.padEnd(22)} ${text}`).join('\n')}`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    patience: { type: 'string', default: '0' },
    'file-mib': { type: 'string', default: '256' },
    json: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

const print = (lines: readonly string[]): void => console.log(`${lines.join('\n')}\n`)
const isWhole = (start: string): boolean => WORKLOADS.some(({ name }) => name === start)
const isMeant = (name: string) => (start: string) => (isWhole(start) ? name === start : name.startsWith(start))
const chosen = WORKLOADS.filter(({ name }) => positionals.length === 0 || positionals.some(isMeant(name)))
const [rounds, seconds, patience] = [Number(values.rounds), Number(values.seconds), Number(values.patience)]
const fileMib = Number(values['file-mib'])
if (values.help || chosen.length === 0 || !(rounds >= 1) || !(seconds > 0) || !(patience >= 0) || !(fileMib >= 1)) {
  console.log(USAGE)
  process.exit(values.help ? 0 : 2)
}

// On the disk of the working tree: the folder for temporary files may be memory.
const folder = join(dirname(fileURLToPath(import.meta.url)), 'results', 'data')
mkdirSync(folder, { recursive: true })
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
process.on('SIGINT', () => process.exit(130))

if (values.profile !== undefined) profileServers(values.profile)
const isPinned = pinLoad(cpus().length)
const machine = describeMachine(folder)
print([...machineLines(machine, isPinned), `${rounds} rounds of ${seconds} s after a warm-up`])

const results: WorkloadResult[] = []
for (const workload of chosen) {
  const result = await runWorkload(workload, {
    rounds,
    seconds,
    patience,
    fileBytes: fileMib * 2 ** 20,
    folder,
    log: line => console.error(line)
  })
  results.push(result)
  print(workloadLines(result))
}

if (values.json !== undefined) {
  const workloads = results.map(({ workload, rows, others }) => ({
    name: workload.name,
    text: workload.text,
    others,
    rows: rows.map(row => ({
      ...row,
      figures: Object.fromEntries(workload.metrics.map(metric => [metric.name, figure(row, rows[0]!, metric)]))
    }))
  }))
  writeFileSync(values.json, `${JSON.stringify({ machine, isPinned, rounds, seconds, workloads }, undefined, 2)}\n`)
}
