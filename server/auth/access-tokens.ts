import { createSecretKey, type KeyObject } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { checked, HubError, key, map, positive } from '../../protocol/index.ts'
import type { Clock, RandomBytes } from '../core/ports.ts'
import type { Store } from '../core/store.ts'
import { hubKey } from './hub-key.ts'

const ALGORITHM = 'HS256'
/** Said in each token's header, so that none can stand in for another kind. @see RFC 9068 for the first */
const TYPES = { access: 'at+jwt', refresh: 'rt+jwt' } as const
const MAX_LENGTH = 1_024

/** What a signed token says. */
export interface TokenClaims {
  readonly account: string
  readonly device: string
  /** The sign-in that it is of. */
  readonly family: string
  /** How many times that sign-in was refreshed before, and 1. */
  readonly generation: number
}

const claimsShape = map({ sub: key(64), dev: key(64), fam: key(64), gen: positive })

/** Signs and reads the hub's JSON Web Tokens. Nothing that it reads may be believed without a look at the sign-in that it names. */
export class AccessTokens {
  readonly #key: KeyObject
  readonly #clock: Clock

  private constructor(secret: Uint8Array, clock: Clock) {
    this.#key = createSecretKey(secret)
    this.#clock = clock
  }

  /** With the store's own key, so that tokens outlive a restart. */
  static async open(store: Store, clock: Clock, randomBytes: RandomBytes): Promise<AccessTokens> {
    return new AccessTokens(await hubKey(store, 'access-tokens', randomBytes), clock)
  }

  /** @param expiresAtMs cut to whole seconds */
  async sign(
    kind: keyof typeof TYPES,
    { account, device, family, generation }: TokenClaims,
    expiresAtMs: number
  ): Promise<string> {
    return new SignJWT({ dev: device, fam: family, gen: generation })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPES[kind] })
      .setSubject(account)
      .setIssuedAt(Math.floor(this.#clock.nowMs() / 1_000))
      .setExpirationTime(Math.floor(expiresAtMs / 1_000))
      .sign(this.#key)
  }

  /** What a token says; undefined when it is none of this kind, not signed by this hub, or expired. */
  async read(kind: keyof typeof TYPES, token: string): Promise<TokenClaims | undefined> {
    if (token === '' || token.length > MAX_LENGTH) return undefined
    const currentDate = new Date(this.#clock.nowMs())
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        typ: TYPES[kind],
        requiredClaims: ['exp'],
        currentDate
      })
      const { sub, dev, fam, gen } = payload
      const claims = checked('unauthenticated', claimsShape, { sub, dev, fam, gen }, 'token')
      return { account: claims.sub, device: claims.dev, family: claims.fam, generation: claims.gen }
    } catch (error) {
      if (error instanceof HubError || error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}
