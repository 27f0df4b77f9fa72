import { foldName } from './auth/accounts.ts'
import { createAddressOf } from './transports/address.ts'

/** One setting of the hub: a flag of the CLI, and an environment variable. */
export interface Option<T> {
  readonly env: string
  readonly flag: string
  /** As it would be typed. */
  readonly default: string
  readonly text: string
  /** Its value is said to nobody. */
  readonly isSecret: boolean
  parse(text: string): T
}

const option = <T>(
  env: string,
  flag: string,
  byDefault: string,
  text: string,
  parse: (text: string) => T,
  isSecret = false
): Option<T> => ({ env, flag, default: byDefault, text, parse, isSecret })

const some = (value: string): string => {
  if (value === '') throw new RangeError('expected something')
  return value
}

const list = (value: string): string[] =>
  value
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')

const isHttpUrl = (value: string): boolean => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)

const url = (value: string): string => {
  if (value !== '' && !isHttpUrl(value)) throw new RangeError('expected an address such as https://lectern.example')
  return value
}

/** Apps in web views have origins of other schemes, such as capacitor://localhost, whose form only the view knows. */
const isOrigin = (value: string): boolean =>
  isHttpUrl(value) ? new URL(value).origin === value : /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/.test(value)

const origins = (value: string): string[] => {
  const items = list(value)
  if (!items.every(isOrigin))
    throw new RangeError('expected bare origins such as https://reader.example, with no path or final slash')
  return items
}

const proxies = (value: string): string[] => {
  const items = list(value)
  createAddressOf(items)
  return items
}

const whole =
  (least: number, most: number) =>
  (value: string): number => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < least || number > most)
      throw new RangeError(`expected a whole number from ${least} to ${most}`)
    return number
  }

const oneOf =
  <const T extends string>(...words: T[]) =>
  (value: string): T => {
    if (!words.includes(value as T)) throw new RangeError(`expected one of ${words.join(', ')}`)
    return value as T
  }

const yesOrNo = (value: string): boolean => oneOf('yes', 'no')(value) === 'yes'

const mailServer = (value: string): string => {
  if (value !== '' && !(URL.canParse(value) && /^smtps?:$/.test(new URL(value).protocol)))
    throw new RangeError('expected an address such as smtps://name:password@mail.example')
  return value
}

const mailAddresses = (value: string): string[] => {
  const items = list(value.toLowerCase())
  if (!items.every(item => item === '*' || /^[^\s@]*@[^\s@]+$/.test(item)))
    throw new RangeError('expected addresses such as ada@example.org, ends of them such as @example.org, or *')
  return items
}

/** Every option, once: flags, environment, defaults, help and the README's table come from here. */
export const OPTIONS = {
  dataFolder: option('LECTERN_DATA_FOLDER', '--data <folder>', './data', 'Where everything is kept.', some),
  host: option('LECTERN_HOST', '--host <address>', '127.0.0.1', 'The address to listen on; 0.0.0.0 for all of them.', some),
  port: option('LECTERN_PORT', '--port <port>', '4747', 'The port to listen on; 0 for any free one.', whole(0, 65_535)),
  metricsPort: option(
    'LECTERN_METRICS_PORT',
    '--metrics-port <port>',
    '',
    'Where GET /metrics answers, for Prometheus; 0 for any free one. Nowhere unless it is set.',
    value => (value === '' ? undefined : whole(0, 65_535)(value))
  ),
  metricsHost: option(
    'LECTERN_METRICS_HOST',
    '--metrics-host <address>',
    '127.0.0.1',
    'The address of that port. Whoever reaches it reads the metrics, without a token.',
    some
  ),
  publicUrl: option(
    'LECTERN_PUBLIC_URL',
    '--public-url <url>',
    '',
    'The address that devices use, when a proxy stands in front.',
    url
  ),
  allowedOrigins: option(
    'LECTERN_ALLOWED_ORIGINS',
    '--allowed-origins <list>',
    '',
    'Origins whose pages may connect, beside the hub itself, such as https://reader.example.',
    origins
  ),
  trustedProxies: option(
    'LECTERN_TRUSTED_PROXIES',
    '--trusted-proxies <list>',
    '',
    'Addresses and networks whose X-Forwarded-For is believed, such as 127.0.0.1 or 10.0.0.0/8.',
    proxies
  ),
  maxSessions: option(
    'LECTERN_MAX_SESSIONS',
    '--max-sessions <count>',
    '10000',
    'Live connections at once, over all accounts.',
    whole(1, 1_000_000)
  ),
  maxAccountMiB: option(
    'LECTERN_MAX_ACCOUNT_MIB',
    '--max-account-mib <count>',
    '2048',
    'What the log and the records of one account may take, in MiB. Over it, actions are refused.',
    whole(1, 16_777_216)
  ),
  maxAccountFilesGiB: option(
    'LECTERN_MAX_ACCOUNT_FILES_GIB',
    '--max-account-files-gib <count>',
    '100',
    'What the files of one account may take, in GiB, with those that are being uploaded. Over it, no upload begins.',
    whole(1, 1_048_576)
  ),
  minFreeMiB: option(
    'LECTERN_MIN_FREE_MIB',
    '--min-free-mib <count>',
    '256',
    'With less room than this on the disk, changes are refused until there is more; 0 never looks.',
    whole(0, 16_777_216)
  ),
  flushTimeoutSeconds: option(
    'LECTERN_FLUSH_TIMEOUT_SECONDS',
    '--flush-timeout-seconds <count>',
    '60',
    'A disk that does not answer a flush for this long counts as failed, and the hub ends itself.',
    whole(1, 86_400)
  ),
  firstAccount: option(
    'LECTERN_FIRST_ACCOUNT',
    '--first-account <name>',
    'reader',
    'The account made when there is none.',
    foldName
  ),
  smtpUrl: option(
    'LECTERN_SMTP_URL',
    '--smtp-url <url>',
    '',
    'The mail server that codes of sign-in are sent by, such as smtps://name:password@mail.example. Without one they stand in the log.',
    mailServer,
    true
  ),
  mailFrom: option('LECTERN_MAIL_FROM', '--mail-from <address>', 'lectern@localhost', 'Whom these mails are from.', some),
  familyMails: option(
    'LECTERN_FAMILY_MAILS',
    '--family-mails <list>',
    '',
    'With a mail server: whose mail lets them make a family, such as ada@example.org, @example.org or * for anyone.',
    mailAddresses
  ),
  kosyncRegistration: option(
    'LECTERN_KOSYNC_REGISTRATION',
    '--kosync-registration <yes-or-no>',
    'no',
    'Anyone may make an account from KOReader, with its own name and key.',
    yesOrNo
  ),
  takeOver: option(
    'LECTERN_TAKE_OVER',
    '--take-over <yes-or-no>',
    'no',
    'Open a store whose last hub ran on another host and did not end well. Only when that hub is surely gone.',
    yesOrNo
  ),
  openDamaged: option(
    'LECTERN_OPEN_DAMAGED',
    '--open-damaged <yes-or-no>',
    'no',
    'Open a store that was found damaged. Only to save what can be read: it may end the hub, and what is damaged may look as if it were not there.',
    yesOrNo
  ),
  logLevel: option(
    'LECTERN_LOG_LEVEL',
    '--log-level <level>',
    'info',
    'debug, info, warn or error.',
    oneOf('debug', 'info', 'warn', 'error')
  )
} as const

export type Config = { readonly [K in keyof typeof OPTIONS]: ReturnType<(typeof OPTIONS)[K]['parse']> }

/**
 * The hub's configuration: a flag wins over its environment variable, which wins over the default. An empty variable counts as not set.
 * @param flags by option name, as typed
 * @throws RangeError naming the option
 */
export function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>> = {}
): Config {
  const entries = Object.entries(OPTIONS).map(([name, row]) => {
    const typed = flags[name] ?? (env[row.env] || row.default)
    try {
      return [name, row.parse(typed)]
    } catch (error) {
      const given = row.isSecret ? '' : `, not "${typed}"`
      throw new RangeError(`${row.flag.split(' ')[0]} or ${row.env}: ${(error as Error).message}${given}`, { cause: error })
    }
  })
  return Object.fromEntries(entries) as Config
}
