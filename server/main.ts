import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option as CommandOption } from 'commander'
import { pino } from 'pino'
import { HubError, type Plain } from '../protocol/index.ts'
import { callControl } from './control.ts'
import type { Logger } from './core/ports.ts'
import { openHub, serveHub } from './hub.ts'
import { operate, type OperationName } from './operations.ts'
import { loadConfig, OPTIONS, type Config } from './options.ts'
import { askPassword } from './password-prompt.ts'

const STOP_WITHIN_MS = 9_000

const program = new Command('lectern')
  .description('A self-hosted, real-time sync hub for reading libraries.')
  .showHelpAfterError()
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
  const lines = [`Lectern listens on ${hub.url}`, `Everything is kept in ${resolve(config.dataFolder)}`]
  const accounts = hub.directory.list()
  if (accounts.length === 0) accounts.push(await hub.directory.add(config.firstAccount))
  const [only] = accounts
  if (accounts.length === 1 && (await hub.hub.ensureAccount(only!.id)).views.range('devices', [], '', 1).length === 0) {
    const { code, expiresAtMs } = hub.pairing.open(only!.id)
    const minutes = Math.round((expiresAtMs - Date.now()) / 60_000)
    lines.push(`Sign in the first device of "${only!.name}" with the pairing code ${code}, good once and for ${minutes} minutes.`)
  }
  lines.push(`For another code: npx lectern device pair ${accounts[0]!.name}`)
  process.stdout.write(`${lines.join('\n')}\n`)
}

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
  for (const row of rows) {
    const cells = Object.entries(row as Record<string, Plain>).map(([name, value]) => `${name}=${show(name, value)}`)
    if (cells.length > 0) process.stdout.write(`${cells.join('  ')}\n`)
  }
}

const show = (name: string, value: Plain): string =>
  name.endsWith('AtMs') ? new Date(value as number).toISOString() : String(value)

const operator = (parent: Command, usage: string, description: string): Command =>
  withOptions(parent.command(usage).description(description), ['dataFolder', 'mapSizeGiB'])

withOptions(program.command('serve').description('Run the hub.'), Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).action(
  (_, command) => serve(configFrom(command))
)

const account = program.command('account').description('Who has a library here.')
operator(account, 'add <name>', 'Add an account. Its devices sign in by pairing and, if it has one, with its password.')
  .addOption(new CommandOption('--password', 'Set a password: typed, or piped in.').env('LECTERN_PASSWORD_ASKED'))
  .action(async (name: string, { password }: { password?: true }, command: Command) => {
    const given = password === true ? await askPassword(process.stdin, process.stderr, 'Password: ') : undefined
    print(await run(configFrom(command), 'account.add', { account: name, ...(given && { password: given }) }))
  })
operator(account, 'list', 'List the accounts.').action(async (_, command) =>
  print(await run(configFrom(command), 'account.list', {}))
)
operator(account, 'passwd <name>', 'Set the password: typed, or piped in.').action(async (name: string, _, command: Command) => {
  const password = await askPassword(process.stdin, process.stderr, 'New password: ')
  if (password === undefined) throw new HubError('bad-request', 'no password was given')
  await run(configFrom(command), 'account.passwd', { account: name, password })
})

const device = program.command('device').description('The machines and apps of an account.')
operator(device, 'list <account>', 'List the devices.').action(async (name: string, _, command: Command) =>
  print(await run(configFrom(command), 'device.list', { account: name }))
)
operator(device, 'revoke <account> <device>', 'Cut a device off for ever, live connections included.').action(
  async (name: string, id: string, _, command: Command) => {
    await run(configFrom(command), 'device.revoke', { account: name, device: id })
  }
)
operator(device, 'pair <account>', 'Make a one-time code with which a new device signs in. Needs a running hub.').action(
  async (name: string, _, command: Command) => print(await run(configFrom(command), 'device.pair', { account: name }))
)

operator(program, 'stats', 'What the hub holds just now.').action(async (_, command) =>
  print(await run(configFrom(command), 'stats', {}))
)

operator(program, 'import <file>', 'Put an EPUB into a library: its metadata, cover, hashes and bytes.')
  .addOption(
    new CommandOption('--account <name>', 'Whose library; needed when there are several accounts.').env('LECTERN_ACCOUNT')
  )
  .action(async (file: string, { account: given }: { account?: string }, command: Command) => {
    const config = configFrom(command)
    print(await run(config, 'import', { account: given ?? (await onlyAccount(config)), path: resolve(file) }))
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
  if (accounts.length !== 1) throw new HubError('bad-request', 'say which account with --account')
  return accounts[0]!.account
}

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`lectern: ${(error as Error).message}\n`)
  process.exit(error instanceof HubError || error instanceof RangeError ? 2 : 1)
}
