import { decodeValue, encodeValue, HubError } from '../../protocol/index.ts'
import type { Account } from '../core/account.ts'
import type { Authenticate } from '../core/hub.ts'
import { newId } from '../core/ids.ts'
import { actorOf, mustBeLetIn, refusalOfDevice } from '../core/policy.ts'
import type { Clock, RandomBytes } from '../core/ports.ts'
import type { RecordKey, Store } from '../core/store.ts'
import type { AccessTokens } from './access-tokens.ts'
import { authenticateToken, deviceOf } from './devices.ts'
import { isDeviceToken } from './tokens.ts'

/** How long an access token is good for. */
export const ACCESS_MS = 600_000
/** How long a sign-in lasts that is not refreshed. */
export const REFRESH_MS = 30 * 86_400_000

/** One device's sign-in, kept beside the logs. It goes on by its refresh token, of which the newest alone is good. */
interface SignInRecord {
  readonly family: string
  /** Of the newest refresh token. */
  readonly generation: number
  readonly expiresAtMs: number
  /** The log's. A restored backup has another, so that a sign-in that was ended since does not come back. */
  readonly epoch: string
}

/** What a device that signs in is given. */
export interface SignInTokens {
  readonly accessToken: string
  readonly refreshToken: string
}

/**
 * Sign-ins with short-lived access tokens: one for each device at most. A refresh token can be used once; a second use means that it was stolen, from
 * the device or by it, and ends the sign-in.
 */
export class SignIns {
  readonly #store: Store
  readonly #tokens: AccessTokens
  readonly #clock: Clock
  readonly #randomBytes: RandomBytes
  /** What is on its way to the store, which does not show it yet. */
  readonly #changing = new Map<string, { readonly record: SignInRecord | undefined }>()

  constructor(store: Store, tokens: AccessTokens, clock: Clock, randomBytes: RandomBytes) {
    this.#store = store
    this.#tokens = tokens
    this.#clock = clock
    this.#randomBytes = randomBytes
  }

  /**
   * Signs a device of the account in. The one that it had ends.
   * @throws HubError `not-found`, `device-disabled`
   */
  async begin(account: Account, device: string): Promise<SignInTokens> {
    deviceOf(account, device)
    const refusal = refusalOfDevice(account.views, device)
    if (refusal !== undefined) throw refusal
    return this.#issue(account, device, newId(this.#randomBytes), 1)
  }

  /**
   * Goes on with a sign-in: new tokens for its refresh token, which is used up by that.
   * @throws HubError `unauthenticated`, `device-revoked`, `device-disabled`
   */
  async refresh(
    refreshToken: string,
    open: (account: string) => Promise<Account | undefined>
  ): Promise<SignInTokens & { device: string }> {
    const claims = await this.#tokens.read('refresh', refreshToken)
    const account = claims && (await open(claims.account))
    const record = account && this.#find(account, claims.device)
    if (record === undefined || record.family !== claims!.family)
      throw new HubError('unauthenticated', 'the refresh token is not valid; sign in again')
    const { device, family, generation } = claims!
    if (record.generation !== generation) {
      await this.end(account!, device)
      throw new HubError(
        'unauthenticated',
        'the refresh token was used before, and may be in other hands: the sign-in has ended; sign in again'
      )
    }
    const refusal = refusalOfDevice(account!.views, device)
    if (refusal !== undefined) throw refusal
    return { ...(await this.#issue(account!, device, family, generation + 1)), device }
  }

  /** Ends the sign-in of a device, and what is connected by it. Resolves once that is durable. */
  async end(account: Account, device: string): Promise<void> {
    await this.#keep(account, [device], undefined)
  }

  /** Ends all sign-ins of an account. Devices' own tokens stay good. */
  async endAll(account: Account): Promise<void> {
    await this.#keep(
      account,
      account.views.range('devices', [], '', Infinity).map(([device]) => device),
      undefined
    )
  }

  /** Finds out whose token it is: a device's own, or an access token. */
  readonly authenticate: Authenticate = async (token, open) => {
    if (isDeviceToken(token)) return authenticateToken(token, open)
    const claims = await this.#tokens.read('access', token)
    const account = claims && (await open(claims.account))
    if (account === undefined) throw new HubError('unauthenticated')
    const { device, family } = claims!
    const refusal = (): HubError | undefined =>
      this.#find(account, device)?.family === family ? refusalOfDevice(account.views, device) : new HubError('unauthenticated')
    mustBeLetIn({ refusal })
    return { account, device, actor: actorOf(deviceOf(account, device)), refusal }
  }

  async #issue(account: Account, device: string, family: string, generation: number): Promise<SignInTokens> {
    const nowMs = this.#clock.nowMs()
    const expiresAtMs = nowMs + REFRESH_MS
    // First, and in the same breath as the look at what there was: of two that come with one token, the second finds it used.
    const kept = this.#keep(account, [device], { family, generation, expiresAtMs, epoch: account.epoch })
    const claims = { account: account.id, device, family, generation }
    const [accessToken, refreshToken] = await Promise.all([
      this.#tokens.sign('access', claims, nowMs + ACCESS_MS),
      this.#tokens.sign('refresh', claims, expiresAtMs),
      kept
    ])
    return { accessToken, refreshToken }
  }

  #find({ id, epoch }: Account, device: string): SignInRecord | undefined {
    const changing = this.#changing.get(nameOf(id, device))
    const bytes = changing === undefined ? this.#store.get(keyOf(id, device)) : undefined
    const record = changing === undefined ? bytes && (decodeValue(bytes) as unknown as SignInRecord) : changing.record
    return record !== undefined && record.epoch === epoch && record.expiresAtMs > this.#clock.nowMs() ? record : undefined
  }

  /** Resolves once it is durable. It holds at once, and ends what was connected by the sign-ins before. */
  async #keep(account: Account, devices: readonly string[], record: SignInRecord | undefined): Promise<void> {
    const change = { record }
    const value = record === undefined ? undefined : encodeValue({ ...record })
    for (const device of devices) {
      this.#changing.set(nameOf(account.id, device), change)
      account.recheck(device)
    }
    await this.#store.commit({ appends: [], writes: devices.map(device => ({ key: keyOf(account.id, device), value })) })
    for (const device of devices) {
      const name = nameOf(account.id, device)
      if (this.#changing.get(name) === change) this.#changing.delete(name)
    }
  }
}

const keyOf = (account: string, device: string): RecordKey => ['', 'sign-ins', account, device]
const nameOf = (account: string, device: string): string => `${account}\n${device}`
