import * as assert from 'uvu/assert'
import { servingHub, type TestServingHub } from './serving-hub.ts'
import type { TestContext } from './suite.ts'

/** What came of one request. */
export interface RestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body read as JSON; undefined when it is none. */
  readonly json: any
}

/** One device of an account that speaks the native REST. */
export interface RestDevice {
  readonly id: string
  /** Its own token, or its access token. */
  readonly token: string
  /** Asks at a path under `/api/v1/sync`. A body that is not bytes is sent as JSON. */
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<RestAnswer>
}

/** The tokens of a login or a refresh. */
export interface RestTokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly device_id: string
}

/** A hub that a black-box suite knows by its URL. */
export interface RestHub {
  readonly url: string
  readonly account: string
  readonly password: string
  /** When it was started for this test: for what cannot be asked for over HTTP. */
  readonly own: TestServingHub | undefined
  /** Sends one request to a path from the root, with a token or without. */
  request(
    method: string,
    path: string,
    token?: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>
  ): Promise<RestAnswer>
  /** Signs in, as a new device that is deleted when the test ends. */
  login(name?: string): Promise<RestTokens>
  /** A new device that is deleted when the test ends. */
  device(options?: { readonly name?: string; readonly read_only?: boolean }): Promise<RestDevice>
}

/**
 * The hub that `LECTERN_URL` names, whose account and password `LECTERN_ACCOUNT` and `LECTERN_PASSWORD` are; without it a hub of this test's own.
 * @param flags of the hub of its own
 */
export async function restHub(context: TestContext, flags: Record<string, string> = {}): Promise<RestHub> {
  const { LECTERN_URL: url, LECTERN_ACCOUNT: account = 'ada', LECTERN_PASSWORD: password = 'correct horse' } = process.env
  if (url !== undefined && url !== '') return restHubAt(context, url.replace(/\/$/, ''), account, password)
  const own = await servingHub(context, flags)
  await own.directory.add(account, password)
  return restHubAt(context, own.url, account, password, own)
}

/** Another account of a hub that was started for this test. */
export async function otherAccount(context: TestContext, { own }: RestHub): Promise<RestHub> {
  await own!.directory.add('ben', 'battery staple')
  return restHubAt(context, own!.url, 'ben', 'battery staple', own)
}

/** The hub at a URL, as one of its accounts. */
export function restHubAt({ defer }: TestContext, url: string, account: string, password: string, own?: TestServingHub): RestHub {
  const hub: RestHub = {
    url,
    account,
    password,
    own,
    async request(method, path, token, body, headers = {}) {
      const isBytes = body instanceof Uint8Array
      const response = await fetch(url + path, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
          ...headers
        },
        ...(body !== undefined && { body: isBytes ? body : JSON.stringify(body) })
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: parsed(text) }
    },
    async login(name = 'test') {
      const { status, json, text } = await hub.request('POST', '/api/v1/auth/login', undefined, {
        account,
        password,
        device_name: name
      })
      assert.is(status, 200, text)
      const tokens = json as RestTokens
      // Whatever became of its own tokens, another device of the account can delete it.
      if (own === undefined)
        defer(async () => {
          const again = await hub.request('POST', '/api/v1/auth/login', undefined, { account, password })
          const { access_token, device_id } = again.json as RestTokens
          for (const id of [tokens.device_id, device_id]) await hub.request('DELETE', `/api/v1/sync/devices/${id}`, access_token)
        })
      return tokens
    },
    async device({ name = 'test', read_only = false } = {}) {
      const { access_token } = await hub.login()
      const { status, json, text } = await hub.request('POST', '/api/v1/sync/devices', access_token, { name, read_only })
      assert.is(status, 200, text)
      const { id, token } = json as { id: string; token: string }
      if (own === undefined) defer(() => hub.request('DELETE', `/api/v1/sync/devices/${id}`, access_token))
      return { id, token, ask: (method, path, body, headers) => hub.request(method, `/api/v1/sync${path}`, token, body, headers) }
    }
  }
  return hub
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Says that an answer is a refusal with this code, of its status, which names this field. */
export function isRefused({ status, headers, json, text }: RestAnswer, expected: number, code: string, field?: string): void {
  assert.equal([status, json?.code, json?.status, json?.field], [expected, code, expected, field], text)
  assert.is(headers.get('content-type'), 'application/problem+json')
  if (expected === 401) assert.is(headers.get('www-authenticate'), 'Bearer')
}
