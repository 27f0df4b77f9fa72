import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Option as CommandOption, type Command } from 'commander'
import { pino, type DestinationStream } from 'pino'
import { HubError, type Plain } from '../protocol/index.ts'
import { callControl } from './control.ts'
import type { Logger } from './core/ports.ts'
import { mustHoldStore } from './data-folder.ts'
import { openHub, type OpenHub } from './hub.ts'
import { operate, type OperationName } from './operations.ts'
import { loadConfig, OPTIONS, type Config } from './options.ts'

/** Of a log that cannot be written for now. */
const MAX_WAITING_LOG_BYTES = 65_536

/** Gives a command options of the table. */
export const withOptions = (command: Command, names: readonly (keyof typeof OPTIONS)[]): Command => {
  for (const name of names) {
    const { flag, text, env, default: byDefault } = OPTIONS[name]
    command.addOption(new CommandOption(flag, `${text} [${env}, default: ${byDefault || 'none'}]`))
  }
  return command
}

/** Commander names a flag's value after the flag; the table names it after what it is. */
export const configFrom = (command: Command): Config => {
  const typed: Record<string, string> = command.opts()
  const flags = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { flag }]) => [name, typed[new CommandOption(flag).attributeName()]])
  )
  return loadConfig(process.env, flags)
}

/** The configuration of a command that works on what a hub keeps. @throws RangeError when that is not there */
export const operatorConfig = (command: Command, mayBeBackup = false): Config => {
  const config = configFrom(command)
  mustHoldStore(config.dataFolder, mayBeBackup)
  return config
}

/** What is at a path; undefined when it is neither file nor folder. */
export const kindOf = (path: string): 'file' | 'folder' | undefined => {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() ? 'file' : found?.isDirectory() ? 'folder' : undefined
}

/** Writes to standard error; never given secrets, and hides them all the same. */
export const createLogger = ({ logLevel }: Config): Logger =>
  pino({ level: logLevel, base: null, redact: ['token', 'password', 'code', 'headers.authorization'] }, logOutput())

/** A log that cannot be written, as on a full disk, ends nothing: its lines are dropped beyond what may wait. */
function logOutput(): DestinationStream {
  const output = pino.destination({ dest: 2, sync: true, maxLength: MAX_WAITING_LOG_BYTES })
  output.on('error', () => undefined)
  return output
}

/** Has the running hub do it or, when none runs, does it on the store itself. */
export const run = (config: Config, name: OperationName, given: Record<string, unknown>): Promise<Plain> =>
  runAll(config, call => call(name, given))

/** Has one operation done. */
export type Call = (name: OperationName, given: Record<string, unknown>) => Promise<Plain>

/** The same for operations that follow one another: the store is opened once for all of them. */
export async function runAll<T>(config: Config, work: (call: Call) => Promise<T>): Promise<T> {
  let hub: OpenHub | undefined
  try {
    return await work(async (name, given) => {
      const called = hub === undefined ? await callControl(config.dataFolder, name, given) : undefined
      if (called !== undefined) return called.result
      hub ??= await openHub(config, createLogger({ ...config, logLevel: 'warn' }))
      return operate(hub, name, given)
    })
  } finally {
    await hub?.close()
  }
}

/** Prints rows of `name=value`, times as ISO has them. */
export const print = (result: Plain): void => {
  const rows = Array.isArray(result) ? result : [result]
  if (rows.length === 0) return say('none')
  for (const row of rows) {
    const cells = Object.entries(row as Record<string, Plain>).map(
      ([name, value]) => `${name.replace(/AtMs$/, 'At')}=${show(name, value)}`
    )
    say(cells.join('  '))
  }
}

export const say = (line: string): void => void process.stdout.write(`${line}\n`)

const show = (name: string, value: Plain): string =>
  name.endsWith('AtMs') ? timeOf(value as number) : typeof value === 'object' ? JSON.stringify(value) : String(value)

export const timeOf = (ms: number): string => new Date(ms).toISOString()

/** Adds a command that works on what a hub keeps. */
export const operator = (parent: Command, usage: string, description: string): Command =>
  withOptions(parent.command(usage).description(description), ['dataFolder'])

/** The account that is meant when none was named. @throws HubError when there are others, or none */
export async function onlyAccount(config: Config, call: Call = (name, given) => run(config, name, given)): Promise<string> {
  const accounts = (await call('account.list', {})) as { account: string }[]
  if (accounts.length === 0)
    throw new HubError(
      'not-found',
      `there is no account here (${resolve(config.dataFolder)}); add one with npx lectern account add NAME`
    )
  if (accounts.length !== 1) throw new HubError('bad-request', 'say which account with --account or LECTERN_ACCOUNT')
  return accounts[0]!.account
}
