/** What the page's address names, behind the `#`, where no server sees it: a book, the devices, a code to pair with, or nothing. */
export type Place = { readonly book: string } | { readonly devices: true } | { readonly code: string } | undefined

export function placeOf(hash: string): Place {
  const given = new URLSearchParams(hash.slice(1))
  const [book, code] = [given.get('book'), given.get('pair')]
  if (book !== null) return { book }
  if (code !== null) return { code }
  return given.has('devices') ? { devices: true } : undefined
}

export const DEVICES = '#devices'

export const addressOf = (book: string): string => `#${new URLSearchParams({ book }).toString()}`

/** The address that opens the dashboard of the hub at `url` with a pairing code filled in. The hub prints such a one, too. */
export const pairingLink = (url: string, code: string): string => new URL(`#pair=${code}`, url).href
