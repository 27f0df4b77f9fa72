import { askHub } from './hub-http.ts'

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
 * @throws HubError `unauthenticated` for a code that is wrong, used or too old, `rate-limited`, `bad-request`; NoConnectionError
 */
export const pair = ({ url, name, app = '', code }: Presentation & { readonly code: string }): Promise<SignedIn> =>
  post(url, 'pair', { code, name, app })

/**
 * Signs this device in with the account's name and password.
 * @throws HubError `unauthenticated`, `rate-limited`, `bad-request`, `overloaded`; NoConnectionError
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
  const { account, device, token } = await askHub<SignedIn>(url, `/api/v1/${route}`, { method: 'POST', json: body })
  return { account, device, token }
}
