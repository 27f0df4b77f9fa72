import { askHub } from './hub-http.ts'

/** Who asks: a device that may change things. */
interface Asker {
  /** The hub's address, as for `connect`. */
  readonly url: string
  readonly token: string
}

/** A one-time code with which another device signs in to the same account. */
export interface PairingCode {
  /** Such as `7KQ2-M9XD`, for `pair`. */
  readonly code: string
  /** From now on; and only as long as the device that asked for it is let in. */
  readonly goodForMs: number
  /** Where other devices find the hub, as far as it knows: of several, any one. */
  readonly urls: readonly string[]
}

/**
 * Makes a code for another device. Of more than five that are open the oldest is good for nothing any more.
 * @param readOnly that device may read everything, and change nothing
 * @throws HubError `forbidden` for a device that may only read, `unauthenticated`; NoConnectionError
 */
export const openPairing = ({ url, token, readOnly = false }: Asker & { readonly readOnly?: boolean }): Promise<PairingCode> =>
  askHub<PairingCode>(url, '/api/v1/pairing-codes', { method: 'POST', headers: bearer(token), json: { readOnly } })

/**
 * Cuts a device of the account off for ever, live connections included; it may be the asker itself. What it wrote stays.
 * @throws HubError `not-found`, `forbidden` for a device that may only read and another than itself, `unauthenticated`; NoConnectionError
 */
export async function revokeDevice({ url, token, device }: Asker & { readonly device: string }): Promise<void> {
  const path = `/api/v1/sync/devices/${encodeURIComponent(device)}`
  await askHub(url, path, { method: 'DELETE', headers: bearer(token) })
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
