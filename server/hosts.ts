import type { networkInterfaces } from 'node:os'

type Interfaces = ReturnType<typeof networkInterfaces>

/** Addresses that are good only with the name of the sender's own interface. */
const LINK_LOCAL = /^(169\.254\.|fe[89ab][0-9a-f]:)/i

/**
 * The hosts, as they stand in a URL, by which a server is found that listens on `host`: for this machine first, then for others.
 * Of all addresses at once, others get those of the machine's interfaces, since nobody can open 0.0.0.0.
 */
export function hostsOf(host: string, interfaces: Interfaces): string[] {
  const isAllIPv4 = host === '0.0.0.0'
  if (!isAllIPv4 && host !== '::') return [inUrl(host)]
  const addresses = Object.values(interfaces)
    .flatMap(found => found ?? [])
    .filter(({ internal, address, family }) => !internal && !LINK_LOCAL.test(address) && (family === 'IPv4' || !isAllIPv4))
    // The short ones, which can be typed, first.
    .sort((left, right) => left.family.localeCompare(right.family))
  return ['localhost', ...addresses.map(({ address }) => inUrl(address))]
}

const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)
