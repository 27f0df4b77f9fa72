import type { IncomingMessage } from 'node:http'

/**
 * What of a request may be its token: `x-api-key`, else `authorization`, as a bearer's or as the password or the user name of a basic one, whose other half does not count.
 */
export function tokensOf({ headers }: Pick<IncomingMessage, 'headers'>): string[] {
  const key = headers['x-api-key']
  if (typeof key === 'string' && key !== '') return [key]
  const [, scheme = '', value = ''] = /^(bearer|basic) +(\S+)$/i.exec(headers.authorization ?? '') ?? []
  if (scheme.toLowerCase() !== 'basic') return value === '' ? [] : [value]
  const text = Buffer.from(value, 'base64').toString()
  const colon = text.indexOf(':')
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  return [password, user].filter(token => token !== '')
}
