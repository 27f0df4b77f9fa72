import { HubError, isErrorCode } from '../protocol/index.ts'

/** What a hub gives a new device. */
export interface SignedIn {
  readonly account: string
  readonly device: string
  /** For `connect`. Shown this once: keep it. */
  readonly token: string
}

/** How the device presents itself to the people who will see it in their list. */
interface Presentation {
  /** The hub's address, as for `connect`. */
  readonly url: string
  readonly name: string
  readonly app?: string
}

/**
 * Signs this device in with a one-time pairing code.
 * @throws HubError `unauthenticated` for a code that is wrong, used or too old, `rate-limited`, `bad-request`; TypeError without a connection
 */
export const pair = ({ url, name, app = '', code }: Presentation & { readonly code: string }): Promise<SignedIn> =>
  post(url, 'pair', { code, name, app })

/**
 * Signs this device in with the account's name and password.
 * @throws HubError `unauthenticated`, `rate-limited`, `bad-request`, `overloaded`; TypeError without a connection
 */
export const signIn = ({
  url,
  name,
  app = '',
  account,
  password
}: Presentation & { readonly account: string; readonly password: string }): Promise<SignedIn> =>
  post(url, 'sign-in', { account, password, name, app })

async function post(url: string, route: string, body: object): Promise<SignedIn> {
  const address = new URL(url)
  address.protocol = address.protocol.replace(/^ws/, 'http')
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/api/v1/${route}`
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  const answer = (await response.json()) as SignedIn & { code: string; detail: string; field?: string }
  if (response.ok) return { account: answer.account, device: answer.device, token: answer.token }
  const retryAfter = response.headers.get('retry-after')
  throw new HubError(isErrorCode(answer.code) ? answer.code : 'internal', answer.detail, {
    ...(answer.field && { field: answer.field }),
    ...(retryAfter !== null && { retryAfterMs: Number(retryAfter) * 1_000 })
  })
}
