import { HubError } from '../../protocol/index.ts'

/**
 * The SHA-256 that a `content-digest` header gives, such as `sha-256=:4REjxQ4yrqUVicfSKYNO/cF9zNj5ANbzgDZt3/h3Qxo=:`. Undefined when there is none; other
 * algorithms are passed over.
 * @throws HubError `bad-request` when the header gives one that is none
 * @see RFC 9530
 */
export function parseContentDigest(contentDigest: string | undefined): Uint8Array | undefined {
  for (const member of (contentDigest ?? '').split(',')) {
    const [, algorithm, value] = /^([a-z*][a-z0-9_.*-]*)\s*=\s*(.*)$/.exec(member.trim()) ?? []
    if (algorithm !== 'sha-256') continue
    const base64 = /^:([A-Za-z0-9+/]{43}=):$/.exec(value!)?.[1]
    if (base64 === undefined)
      throw new HubError('bad-request', 'the digest is no SHA-256 in base64, between colons', { field: 'content-digest' })
    return Buffer.from(base64, 'base64')
  }
  return undefined
}

/** A SHA-256 as such headers write it. */
export const digestField = (sha256: string): string => `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
