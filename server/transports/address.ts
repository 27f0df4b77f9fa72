import { BlockList, isIP } from 'node:net'
import type { IncomingMessage } from 'node:http'

/** Finds the address of whoever sent a request, for limits and logs. */
export type AddressOf = (request: IncomingMessage) => string

/**
 * Believes `X-Forwarded-For` only of trusted proxies, reading it from the end: what stands further in front, anyone may have written.
 * @param trusted addresses and networks such as `127.0.0.1` or `10.0.0.0/8`
 * @throws RangeError for one that is neither
 */
export function createAddressOf(trusted: readonly string[]): AddressOf {
  const proxies = new BlockList()
  for (const entry of trusted) {
    const [network = '', prefix, ...more] = entry.split('/')
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
    const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 'ipv6' ? 128 : 32))
    if (isIP(network) === 0 || !isPrefix || more.length > 0)
      throw new RangeError('expected addresses and networks, such as 127.0.0.1 or 10.0.0.0/8')
    if (prefix === undefined) proxies.addAddress(network, family)
    else proxies.addSubnet(network, Number(prefix), family)
  }
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return request => {
    let address = plain(request.socket.remoteAddress ?? 'unknown')
    if (trusted.length === 0) return address
    const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
    while (isTrusted(address)) {
      const previous = plain((forwarded.pop() ?? '').trim())
      if (isIP(previous) === 0) break
      address = previous
    }
    return address
  }
}

/** An IPv4 address that came in through an IPv6 socket. */
const plain = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address)
