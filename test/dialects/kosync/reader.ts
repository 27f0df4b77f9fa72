import { createHash, randomBytes } from 'node:crypto'
import type { Account } from '../../../server/core/account.ts'
import { operate } from '../../../server/operations.ts'
import { servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import type { TestContext } from '../../util/suite.ts'

export const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

/** A document that nobody has heard of. */
export const newDocument = (): string => randomBytes(16).toString('hex')

/** What came back. */
export interface Heard {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body read as JSON; undefined when it is none. */
  readonly json: any
}

type SentHeaders = Readonly<Record<string, string>>

/** A reader that signs in as somebody, as KOReader does. */
export interface Reader {
  readonly url: string
  readonly name: string
  readonly password: string
  /** Sends one request. A body that is no text is sent as JSON. Headers replace those of the sign-in when there are any with `x-auth` or `authorization`. */
  readonly ask: (method: string, path: string, body?: unknown, headers?: SentHeaders) => Promise<Heard>
  readonly put: (document: string, progress: unknown, percentage: unknown, more?: object) => Promise<Heard>
  /** The position of a document, as it is told. */
  readonly get: (document: string) => Promise<any>
}

export function readerAt(url: string, name: string, password: string): Reader {
  const own = { 'x-auth-user': name, 'x-auth-key': md5(password), accept: 'application/vnd.koreader.v1+json' }
  const reader: Reader = {
    url,
    name,
    password,
    async ask(method, path, body, headers = {}) {
      const isOther = Object.keys(headers).some(header => /^x-auth|^authorization/.test(header))
      const response = await fetch(url + path, {
        method,
        headers: { ...(!isOther && own), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: parsed(text) }
    },
    put: (document, progress, percentage, more = {}) =>
      reader.ask('PUT', '/syncs/progress', { document, progress, percentage, device: 'Libra', device_id: 'A1', ...more }),
    get: async document => (await reader.ask('GET', `/syncs/progress/${encodeURIComponent(document)}`)).json as unknown
  }
  return reader
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The hub that `LECTERN_URL` names, whose account is `LECTERN_ACCOUNT` and its password for KOReader `LECTERN_KOSYNC_PASSWORD`; undefined without it. */
export function readerElsewhere(): Reader | undefined {
  const {
    LECTERN_URL: url = '',
    LECTERN_ACCOUNT: account = 'ada',
    LECTERN_KOSYNC_PASSWORD: password = 'page turner'
  } = process.env
  return url === '' ? undefined : readerAt(url.replace(/\/$/, ''), account, password)
}

export interface OwnReader extends Reader {
  readonly hub: TestServingHub
  readonly account: Account
}

/** A reader of an account `ada`, on a hub of this test's own. */
export async function ownReader(context: TestContext, flags: Record<string, string> = {}): Promise<OwnReader> {
  const hub = await servingHub(context, flags)
  const { id } = await hub.directory.add('ada', 'correct horse')
  await operate(hub, 'account.kosync', { account: 'ada', password: 'page turner' })
  return { ...readerAt(hub.url, 'ada', 'page turner'), hub, account: await hub.hub.ensureAccount(id) }
}
