import type { IncomingMessage } from 'node:http'

/**
 * Whether a page may connect. Browsers name the page's origin and let any page open a websocket, so the hub has to look;
 * apps outside of browsers name none.
 * @param allowed origins such as `https://reader.example`, beside the hub's own
 */
export function isOriginAllowed(request: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = request.headers
  if (origin === undefined || allowed.includes(origin)) return true
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host
}
