import { spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError, Option as CommandOption } from 'commander'
import { pino } from 'pino'
import { HubError, type Plain } from '../protocol/index.ts'
import { foldName } from './auth/accounts.ts'
import { callControl } from './control.ts'
import type { Logger } from './core/ports.ts'
import { openHub, serveHub } from './hub.ts'
import { operate, type OperationName } from './operations.ts'
import { loadConfig, OPTIONS, type Config } from './options.ts'
import { askPassword } from './password-prompt.ts'

const STOP_WITHIN_MS = 9_000
const WRONG_USAGE = 2

// An empty variable counts as not set, for the options of single commands too, which commander reads.
for (const [name, value] of Object.entries(process.env)) if (name.startsWith('LECTERN_') && value === '') delete process.env[name]

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const program = new Command('lectern')
  .description('A self-hosted, real-time sync hub for reading libraries.')
  .version(version)
  .showHelpAfterError()
  .exitOverride()
  .enablePositionalOptions()

const withOptions = (command: Command, names: readonly (keyof typeof OPTIONS)[]): Command => {
  for (const name of names) {
    const { flag, text, env, default: byDefault } = OPTIONS[name]
    command.addOption(new CommandOption(flag, `${text} [${env}, default: ${byDefault || 'none'}]`))
  }
  return command
}

/** Commander names a flag's value after the flag; the table names it after what it is. */
const configFrom = (command: Command): Config => {
  const typed: Record<string, string> = command.opts()
  const flags = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { flag }]) => [name, typed[new CommandOption(flag).attributeName()]])
  )
  return loadConfig(process.env, flags)
}

/** The configuration of a command that works on what a hub keeps. It makes no data folder: one that is missing is a slip of the pen. */
const operatorConfig = (command: Command): Config => {
  const config = configFrom(command)
  if (kindOf(config.dataFolder) !== 'folder')
    throw new RangeError(
      `there is no data folder ${resolve(config.dataFolder)}; name the hub's with --data or LECTERN_DATA_FOLDER, or start a hub first`
    )
  return config
}

const kindOf = (path: string): 'file' | 'folder' | undefined => {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() ? 'file' : found?.isDirectory() ? 'folder' : undefined
}

const createLogger = ({ logLevel }: Config): Logger =>
  pino(
    { level: logLevel, base: null, redact: ['token', 'password', 'code', 'headers.authorization'] },
    pino.destination({ dest: 2, sync: true })
  )

async function serve(config: Config): Promise<void> {
  process.umask(0o077)
  const logger = createLogger(config)
  const hub = await serveHub(config, logger)
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref()
    hub.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'the stop failed')
        process.exit(1)
      }
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  const lines = [`Lectern listens on ${hub.listensOn}`]
  if (hub.url !== hub.listensOn) lines.push(`Devices reach it at ${hub.url}`)
  lines.push(`Everything is kept in ${resolve(config.dataFolder)}`)
  const accounts = hub.directory.list()
  if (accounts.length === 0) accounts.push(await hub.directory.add(config.firstAccount))
  const [only] = accounts
  if (accounts.length === 1 && (await hub.hub.ensureAccount(only!.id)).views.range('devices', [], '', 1).length === 0) {
    const { code, expiresAtMs } = hub.pairing.open(only!.id)
    const minutes = Math.round((expiresAtMs - Date.now()) / 60_000)
    lines.push(`Sign in the first device of "${only!.name}" with the pairing code ${code}, good once and for ${minutes} minutes.`)
  }
  lines.push(`For another code: npx lectern device pair ${accounts.length === 1 ? quoted(only!.name) : 'NAME'}`)
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** A word as a shell takes it. */
const quoted = (word: string): string => (/^[\p{L}\p{N}_@.+-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** Has the running hub do it or, when none runs, does it on the store itself. */
async function run(config: Config, name: OperationName, given: Record<string, unknown>): Promise<Plain> {
  const called = await callControl(config.dataFolder, name, given)
  if (called !== undefined) return called.result
  const hub = await openHub(config, createLogger({ ...config, logLevel: 'warn' }))
  try {
    return await operate(hub, name, given)
  } finally {
    await hub.close()
  }
}

const print = (result: Plain): void => {
  const rows = Array.isArray(result) ? result : [result]
  if (rows.length === 0) return say('none')
  for (const row of rows) {
    const cells = Object.entries(row as Record<string, Plain>).map(([name, value]) => `${name}=${show(name, value)}`)
    say(cells.join('  '))
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const show = (name: string, value: Plain): string =>
  name.endsWith('AtMs') ? timeOf(value as number) : typeof value === 'object' ? JSON.stringify(value) : String(value)

const timeOf = (ms: number): string => new Date(ms).toISOString()

const operator = (parent: Command, usage: string, description: string): Command =>
  withOptions(parent.command(usage).description(description), ['dataFolder', 'mapSizeGiB'])

withOptions(program.command('serve').description('Run the hub.'), Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).action(
  (_, command) => serve(configFrom(command))
)

const account = program.command('account').description('Who has a library here.')
operator(account, 'add <name>', 'Add an account. Its devices sign in by pairing and, if it has one, with its password.')
  .addOption(new CommandOption('--password', 'Set a password: typed, or piped in.').env('LECTERN_PASSWORD_ASKED'))
  .action(async (name: string, { password }: { password?: true }, command: Command) => {
    const config = operatorConfig(command)
    const given = password === true ? await askPassword(process.stdin, process.stderr, 'Password: ') : undefined
    print(await run(config, 'account.add', { account: name, ...(given && { password: given }) }))
  })
operator(account, 'list', 'List the accounts.').action(async (_, command) =>
  print(await run(operatorConfig(command), 'account.list', {}))
)
operator(account, 'passwd <name>', 'Set the password: typed, or piped in.').action(async (name: string, _, command: Command) => {
  const config = operatorConfig(command)
  const password = await askPassword(process.stdin, process.stderr, 'New password: ')
  if (password === undefined) throw new HubError('bad-request', 'no password was given; type one, or pipe it in')
  await run(config, 'account.passwd', { account: name, password })
  say(`The password of ${foldName(name)} is set.`)
})

const device = program.command('device').description('The machines and apps of an account.')
operator(device, 'list <account>', 'List the devices.').action(async (name: string, _, command: Command) =>
  print(await run(operatorConfig(command), 'device.list', { account: name }))
)
operator(device, 'revoke <account> <device>', 'Cut a device off for ever, live connections included.').action(
  async (name: string, id: string, _, command: Command) => {
    await run(operatorConfig(command), 'device.revoke', { account: name, device: id })
    say('Revoked.')
  }
)
operator(device, 'pair <account>', 'Make a one-time code with which a new device signs in. Needs a running hub.')
  .addOption(
    new CommandOption('--read-only', 'The device may read everything of the account, and change nothing.').env(
      'LECTERN_READ_ONLY'
    )
  )
  .action(async (name: string, { readOnly }: { readOnly?: true }, command: Command) => {
    const opened = await run(operatorConfig(command), 'device.pair', { account: name, readOnly: readOnly === true })
    const { code, expiresAtMs } = opened as { code: string; expiresAtMs: number }
    print({ code, goodUntil: timeOf(expiresAtMs), goodFor: 'once', ...(readOnly && { allows: 'reading only' }) })
  })

operator(program, 'stats', 'What the hub holds just now.').action(async (_, command) =>
  print(await run(operatorConfig(command), 'stats', {}))
)

operator(program, 'import <file>', 'Put an EPUB into a library: its metadata, cover, hashes and bytes.')
  .addOption(
    new CommandOption('--account <name>', 'Whose library; needed when there are several accounts.').env('LECTERN_ACCOUNT')
  )
  .action(async (file: string, { account: given }: { account?: string }, command: Command) => {
    const config = operatorConfig(command)
    const path = resolve(file)
    if (kindOf(path) !== 'file') throw new RangeError(`there is no file ${path}; name an EPUB`)
    print(await run(config, 'import', { account: given ?? (await onlyAccount(config)), path }))
  })

program
  .command('demo')
  .description(
    'Show two devices sharing a book, through cuts and kills. Takes an EPUB, or --trace and a trace of concurrent typing.'
  )
  .argument('[files...]')
  .addOption(new CommandOption('--trace', 'Replay a trace of two people typing one note.').env('LECTERN_DEMO_TRACE'))
  .action((files: string[], { trace }: { trace?: true }) => {
    const main = fileURLToPath(new URL('../client/demo/main.ts', import.meta.url))
    const child = spawn(process.execPath, [...process.execArgv, main, ...(trace ? ['--trace'] : []), ...files], {
      stdio: 'inherit'
    })
    child.once('exit', code => process.exit(code ?? 1))
  })

async function onlyAccount(config: Config): Promise<string> {
  const accounts = (await run(config, 'account.list', {})) as { account: string }[]
  if (accounts.length !== 1) throw new HubError('bad-request', 'say which account with --account or LECTERN_ACCOUNT')
  return accounts[0]!.account
}

try {
  await program.parseAsync()
} catch (error) {
  // Commander has printed what it had to say: help and the version, or what is wrong with the words.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : WRONG_USAGE)
  process.stderr.write(`lectern: ${(error as Error).message}\n`)
  process.exit(error instanceof HubError || error instanceof RangeError ? WRONG_USAGE : 1)
}
