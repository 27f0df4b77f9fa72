import './node-version.js'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Command, CommanderError, Option as CommandOption } from 'commander'
import { foldName } from './auth/accounts.ts'
import { addBooks } from './book-commands.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { configFrom, createLogger, operator, operatorConfig, print, run, say, timeOf, withOptions } from './cli.ts'
import { serveHub, type ServingHub } from './hub.ts'
import { addHouseholds } from './household-commands.ts'
import { addLibrary } from './library-commands.ts'
import { addMaintenance } from './maintenance.ts'
import { OPTIONS, type Config } from './options.ts'
import { askPassword } from './password-prompt.ts'

const STOP_WITHIN_MS = 9_000

// An empty variable counts as not set, for the options of single commands too, which commander reads.
for (const [name, value] of Object.entries(process.env)) if (name.startsWith('LECTERN_') && value === '') delete process.env[name]

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const program = new Command('lectern')
  .description('A self-hosted, real-time sync hub for reading libraries.')
  .version(version)
  .showHelpAfterError()
  .exitOverride()
  .enablePositionalOptions()

let isServing = false

// A hub is there for others, and a command does what is left of it. Whoever read what it prints may have had enough, as `head` has.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (isServing || code === 'EPIPE') return
  process.exitCode = EXIT.failed
  process.stderr.write(`lectern: what it says cannot be written (${code}); have it written elsewhere\n`)
})

async function serve(config: Config): Promise<void> {
  isServing = true
  process.umask(0o077)
  const logger = createLogger(config)
  const starting = serveHub(config, logger)
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping')
    setTimeout(() => process.exit(EXIT.failed), STOP_WITHIN_MS).unref()
    const stopped = (hub: ServingHub): Promise<void> =>
      hub.close().then(
        () => process.exit(EXIT.done),
        (error: unknown) => {
          logger.error({ err: error }, 'the stop failed')
          process.exit(EXIT.failed)
        }
      )
    // A start that failed ends the process by itself.
    void starting.then(stopped, () => undefined)
  }
  // Before it has started, too: the first process of a container hears of no signal that it does not listen for.
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  const hub = await starting
  const lines = [`Lectern listens on ${hub.url}`]
  if (hub.urlsElsewhere.length > 0) lines.push(`Devices reach it at ${hub.urlsElsewhere.join(' or ')}`)
  lines.push(`Everything is kept in ${resolve(config.dataFolder)}`)
  if (hub.metricsUrl !== undefined) lines.push(`Metrics are at ${hub.metricsUrl}`)
  const accounts = hub.directory.list()
  if (accounts.length === 0) accounts.push(await hub.directory.add(config.firstAccount))
  const [only] = accounts
  const isFirstDevice =
    accounts.length === 1 && (await hub.hub.ensureAccount(only!.id)).views.range('devices', [], '', 1).length === 0
  if (isFirstDevice) {
    const { code, expiresAtMs } = hub.pairing.open(only!.id)
    const minutes = Math.round((expiresAtMs - Date.now()) / 60_000)
    lines.push(`Sign in the first device of "${only!.name}" with the pairing code ${code}, good once and for ${minutes} minutes.`)
    lines.push(`In a browser: ${hub.url}/#pair=${code}`)
  }
  const where = config.dataFolder === OPTIONS.dataFolder.default ? '' : ` --data ${quoted(resolve(config.dataFolder))}`
  const command = `npx lectern device pair ${accounts.length === 1 ? quoted(only!.name) : 'NAME'}${where}`
  lines.push(`${isFirstDevice ? 'For another code' : 'To sign in a device'}: ${command}`)
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** A word as a shell takes it. */
const quoted = (word: string): string => (/^[\p{L}\p{N}_@.+/-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

withOptions(program.command('serve').description('Run the hub.'), Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).action(
  (_, command) => serve(configFrom(command))
)

const account = program.command('account').description('Who has a library here.')
operator(account, 'add <name>', 'Add an account. Its devices sign in by pairing and, if it has one, with its password.')
  .addOption(new CommandOption('--password', 'Set a password: typed, or piped in.').env('LECTERN_PASSWORD_ASKED'))
  .action(async (name: string, { password }: { password?: true }, command: Command) => {
    const config = operatorConfig(command)
    const given = password === true ? await askPassword(process.stdin, process.stderr, 'Password: ') : undefined
    print(await run(config, 'account.add', { account: foldName(name), ...(given && { password: given }) }))
  })
operator(account, 'list', 'List the accounts.').action(async (_, command) =>
  print(await run(operatorConfig(command), 'account.list', {}))
)
operator(account, 'passwd <name>', 'Set the password: typed, or piped in.').action(async (name: string, _, command: Command) => {
  const config = operatorConfig(command)
  const password = await askPassword(process.stdin, process.stderr, 'New password: ')
  const { devices } = (await run(config, 'account.passwd', { account: name, password })) as { devices: number }
  const folded = foldName(name)
  say(`The password of ${folded} is set; sign-ins with the one before have ended.`)
  if (devices > 0)
    say(
      `Devices that keep tokens of their own: ${devices}. \`lectern device list\` names them, and \`lectern device revoke\` cuts one off.`
    )
})
operator(account, 'kosync <name>', 'Set the key with which KOReader syncs: a password of its own, typed or piped in.')
  .addOption(
    new CommandOption('--off', 'Take the key away instead: no reader syncs until there is another.').env('LECTERN_KOSYNC_OFF')
  )
  .addOption(
    new CommandOption('--answers <which>', 'Which position readers are told from now on, newest or furthest; the key stays.').env(
      'LECTERN_KOSYNC_ANSWERS'
    )
  )
  .action(async (name: string, { off, answers }: { off?: true; answers?: string }, command: Command) => {
    const config = operatorConfig(command)
    if (answers !== undefined && answers !== 'newest' && answers !== 'furthest')
      throw new RangeError(`--answers: newest or furthest, not "${answers}"`)
    if (off === undefined && answers === undefined) {
      const password = await askPassword(process.stdin, process.stderr, 'Password for KOReader: ')
      await run(config, 'account.kosync', { account: name, password })
      return say(`KOReader signs in as ${foldName(name)} with this password.`)
    }
    await run(config, 'account.kosync', { account: name, ...(off && { off }), ...(answers !== undefined && { answers }) })
    if (off) say(`No reader syncs as ${foldName(name)} any more.`)
    if (answers !== undefined) say(`Readers of ${foldName(name)} are told the ${answers} position.`)
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

addHouseholds(program)
addMaintenance(program)
addBooks(program)

addLibrary(program)

program
  .command('demo')
  .description(
    'Show two devices sharing a book, through cuts and kills. Takes an EPUB, or --trace and a trace of concurrent typing.'
  )
  .argument('[files...]')
  .addOption(new CommandOption('--trace', 'Replay a trace of two people typing one note.').env('LECTERN_DEMO_TRACE'))
  .action((files: string[], { trace }: { trace?: true }) => {
    const main = fileURLToPath(new URL('../client/demo/main.ts', import.meta.url))
    const child = spawn(process.execPath, [...sourceFlags(), main, ...(trace ? ['--trace'] : []), ...files], {
      stdio: 'inherit'
    })
    child.once('exit', code => process.exit(code ?? EXIT.failed))
  })

program
  .command('mirror')
  .description("Keep a folder the same as an account's files, both ways, live. Needs a hub, on this machine or another.")
  .argument('<folder>')
  .addOption(new CommandOption('--hub <url>', "The hub's address; after the first start it is known.").env('LECTERN_HUB'))
  .addOption(
    new CommandOption('--code <code>', 'A pairing code, for the first start. Or give a token as LECTERN_TOKEN.').env(
      'LECTERN_CODE'
    )
  )
  .addOption(new CommandOption('--name <name>', "The device's name, with --code.").env('LECTERN_DEVICE_NAME'))
  .addOption(
    new CommandOption('--once', 'Make both the same, and end: for cron. Any value of the variable does.').env('LECTERN_ONCE')
  )
  .addOption(
    new CommandOption(
      '--remove-many',
      'Most of the files being gone from the folder is meant: remove them at the hub. Any value of the variable does.'
    ).env('LECTERN_REMOVE_MANY')
  )
  .action((folder: string, words: Record<string, unknown>) => {
    const main = fileURLToPath(new URL('../client/mirror-folder/main.ts', import.meta.url))
    const child = spawn(process.execPath, [...sourceFlags(), main, JSON.stringify({ ...words, folder })], {
      // The channel tells it when this process is gone.
      stdio: ['inherit', 'inherit', 'inherit', 'ipc']
    })
    child.once('exit', code => process.exit(code ?? EXIT.failed))
    // A terminal gives SIGINT to both; SIGTERM comes to this one alone.
    process.on('SIGINT', () => undefined)
    process.once('SIGTERM', () => child.kill('SIGTERM'))
  })

/** What has Node read the sources in another process: flags that this one has, too, or the loader that `lectern.js` registered. */
function sourceFlags(): string[] {
  if (process.execArgv.some(word => word.includes('tsx'))) return process.execArgv
  return [...process.execArgv, '--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
}

program.parseAsync().catch((error: unknown) => {
  // Commander has printed what it had to say: help and the version, or what is wrong with the words.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? EXIT.done : EXIT.refused)
  process.stderr.write(`lectern: ${(error as Error).message}\n`)
  process.exit(exitCodeOf(error))
})
