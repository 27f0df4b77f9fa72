import { createHash, timingSafeEqual } from 'node:crypto'
import { decodeValue, encodeValue } from '../../../protocol/index.ts'
import type { Account } from '../../core/account.ts'
import type { Hub } from '../../core/hub.ts'
import { refusalOf } from '../../core/policy.ts'
import type { RandomBytes } from '../../core/ports.ts'
import type { RecordKey, Store } from '../../core/store.ts'
import { randomWord } from './words.ts'

const TOKEN = /^[0-9a-zA-Z]{32}$/
/** Tokens whose devices are remembered, over all accounts; one more takes the oldest's place. */
const MAX_REMEMBERED = 10_000

/** Whose a token is, or was. Never taken away: that a token was good once is what lets its device reset itself. */
interface TokenRecord {
  readonly account: string
  readonly device: string
  /** Its device reported that it is reset. */
  readonly isRetired?: boolean
}

interface Remembered extends TokenRecord {
  /** Where the account's log stood when the token was found to let its device in. */
  goodAt?: number
}

/** A device that asks. */
export interface Caller {
  readonly account: Account
  readonly device: string
}

/** Device tokens as this API has them: 32 letters and digits, which say nothing about whose they are. Kept as hashes, beside the logs. */
export class DeviceTokens {
  readonly #hub: Hub
  readonly #store: Store
  readonly #randomBytes: RandomBytes
  /** By the token's hash. What a token was made for never changes; whether it lets its device in, the account's log says. */
  readonly #remembered = new Map<string, Remembered>()

  constructor(hub: Hub, store: Store, randomBytes: RandomBytes) {
    this.#hub = hub
    this.#store = store
    this.#randomBytes = randomBytes
  }

  /**
   * Makes a token for a device that is about to be registered with it. Resolves once the lookup is durable; until the log has the device too, the token is
   * one that nobody knows.
   */
  async issue(account: string, device: string): Promise<{ token: string; secretHash: Uint8Array }> {
    const token = randomWord(this.#randomBytes, 32)
    await this.#keep(token, { account, device })
    return { token, secretHash: hashOf(token) }
  }

  /** The device that a token lets in; undefined when it lets nobody in. */
  async find(token: string): Promise<Caller | undefined> {
    if (!TOKEN.test(token)) return undefined
    const hash = hashOf(token)
    const record = this.#recall(hash)
    const account = record && (await this.#hub.account(record.account))
    if (account === undefined || record!.isRetired === true) return undefined
    const { device, goodAt } = record!
    if (goodAt !== account.head) {
      const known = account.views.get('devices', device)
      if (known === undefined || !timingSafeEqual(hash, known.secretHash) || refusalOf(known) !== undefined) return undefined
      record!.goodAt = account.head
    }
    return { account, device }
  }

  /** True for a token whose device was removed, or reported that it is reset. What the hub does not know for sure is not removed. */
  async isRemoved(token: string): Promise<boolean> {
    const record = this.#record(token)
    if (record === undefined) return false
    if (record.isRetired === true) return true
    const account = await this.#hub.account(record.account)
    return account !== undefined && holds(account, record.device, token) && account.views.get('devices', record.device)!.revoked
  }

  /** Which device a token was made for, whether it lets it in or not; undefined for one that the hub never made. */
  placeOf(token: string): { account: string; device: string } | undefined {
    return this.#record(token)
  }

  /** Remembers that the device of this token is reset. Resolves once that is durable. */
  async retire(token: string): Promise<void> {
    const record = this.#record(token)
    if (record !== undefined) await this.#keep(token, { ...record, isRetired: true })
  }

  /** A hash of no token: a device that has it lets nobody in. */
  unknownHash(): Uint8Array {
    return hashOf(randomWord(this.#randomBytes, 32))
  }

  #recall(hash: Buffer): Remembered | undefined {
    const name = hash.toString('latin1')
    const known = this.#remembered.get(name)
    if (known !== undefined) return known
    const record = this.#read(hash)
    if (record === undefined) return undefined
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!)
    this.#remembered.set(name, record)
    return record
  }

  #record(token: string): TokenRecord | undefined {
    return TOKEN.test(token) ? this.#read(hashOf(token)) : undefined
  }

  #read(hash: Buffer): TokenRecord | undefined {
    const bytes = this.#store.get(keyOf(hash))
    return bytes === undefined ? undefined : (decodeValue(bytes) as unknown as TokenRecord)
  }

  async #keep(token: string, record: TokenRecord): Promise<void> {
    const hash = hashOf(token)
    await this.#store.commit({ appends: [], writes: [{ key: keyOf(hash), value: encodeValue({ ...record }) }] })
    // Not before: what is read meanwhile is what was.
    this.#remembered.delete(hash.toString('latin1'))
  }
}

const holds = (account: Account, device: string, token: string): boolean => {
  const known = account.views.get('devices', device)
  return known !== undefined && timingSafeEqual(hashOf(token), known.secretHash)
}

/** Records of no account stand under the empty name. */
const keyOf = (hash: Buffer): RecordKey => ['', 'household-tokens', hash.toString('hex')]

const hashOf = (token: string): Buffer => createHash('sha256').update(`timelimit\n${token}`).digest()
