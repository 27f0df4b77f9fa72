import { decodeValue, encodeValue, HubError, key } from '../../protocol/index.ts'
import { newId } from '../core/ids.ts'
import type { Clock, RandomBytes } from '../core/ports.ts'
import { recordPages, type Store } from '../core/store.ts'
import type { Passwords } from './passwords.ts'
import type { VerifiedPasswords } from './verified-passwords.ts'

/** An account as the hub's directory knows it. */
export interface AccountEntry {
  readonly name: string
  readonly id: string
  /** Empty when no password was set: then only pairing lets a device in. */
  readonly passwordHash: string
  readonly createdAtMs: number
}

/** Records of no account stand under the empty name. */
const TABLE = ['', 'accounts'] as const
const PAGE = 1_000

/** What checks passwords, and remembers for a while which were right, if it can. */
type KnownPasswords = Passwords & Partial<Pick<VerifiedPasswords, 'recalls'>>

/** Who has an account: names, and passwords' hashes. Kept beside the logs, because no device of an account may read it. */
export class AccountDirectory {
  readonly #store: Store
  readonly #passwords: KnownPasswords
  readonly #clock: Clock
  readonly #randomBytes: RandomBytes
  readonly #adding = new Set<string>()

  constructor(store: Store, passwords: KnownPasswords, clock: Clock, randomBytes: RandomBytes) {
    this.#store = store
    this.#passwords = passwords
    this.#clock = clock
    this.#randomBytes = randomBytes
  }

  /**
   * Adds an account.
   * @throws HubError `already-exists`, `bad-request`
   */
  async add(name: string, password?: string): Promise<AccountEntry> {
    const folded = foldName(name)
    if (this.#adding.has(folded) || this.find(folded) !== undefined)
      throw new HubError('already-exists', `there is an account ${folded} already`, { field: 'account' })
    this.#adding.add(folded)
    try {
      const passwordHash = password === undefined ? '' : await this.#passwords.hash(password)
      const createdAtMs = Math.floor(this.#clock.nowMs())
      return await this.#keep({ name: folded, id: newId(this.#randomBytes), passwordHash, createdAtMs })
    } finally {
      this.#adding.delete(folded)
    }
  }

  find(name: string): AccountEntry | undefined {
    const bytes = this.#store.get([...TABLE, foldName(name)])
    return bytes === undefined ? undefined : (decodeValue(bytes) as unknown as AccountEntry)
  }

  /** @throws HubError `not-found` */
  get(name: string): AccountEntry {
    const entry = this.find(name)
    if (entry === undefined) throw new HubError('not-found', `there is no account ${name}`, { field: 'account' })
    return entry
  }

  /** Every account, by name. */
  list(): AccountEntry[] {
    const entries: AccountEntry[] = []
    for (const page of recordPages(this.#store, TABLE, PAGE))
      for (const [, bytes] of page) entries.push(decodeValue(bytes) as unknown as AccountEntry)
    return entries
  }

  /** @throws HubError `not-found`, `bad-request` */
  async setPassword(name: string, password: string): Promise<void> {
    await this.#keep({ ...this.get(name), passwordHash: await this.#passwords.hash(password) })
  }

  /** The account that the name and password belong to; undefined when they do not. Takes as long either way. */
  async signIn(name: string, password: string): Promise<AccountEntry | undefined> {
    const entry = this.find(name)
    const hash = entry === undefined || entry.passwordHash === '' ? undefined : entry.passwordHash
    if (!(await this.#passwords.verify(hash, password))) return undefined
    // Another password may have been set while this one was checked.
    return this.find(name)?.passwordHash === hash ? entry : undefined
  }

  /** The same for a password that was right a short while ago: no hash is computed. Undefined says nothing. */
  recall(name: string, password: string): AccountEntry | undefined {
    const entry = this.find(name)
    return entry !== undefined && entry.passwordHash !== '' && this.#passwords.recalls?.(entry.passwordHash, password) === true
      ? entry
      : undefined
  }

  async #keep(entry: AccountEntry): Promise<AccountEntry> {
    await this.#store.commit({ appends: [], writes: [{ key: [...TABLE, entry.name], value: encodeValue({ ...entry }) }] })
    return entry
  }
}

/** More are too many in any spelling: NFC makes one of four at most. */
const MAX_NAME_UNITS = 512
const NAME = key(128)

/**
 * The one spelling of an account's name: names that look the same are the same. Whatever counts or compares names does it by this.
 * @throws HubError `bad-request`
 */
export function foldName(name: string): string {
  // Sorting a long row of marks takes the square of its length; what is too long for a name is refused as it is.
  const folded = name.length > MAX_NAME_UNITS ? name : name.normalize('NFC')
  const spelled = folded.trim().toLowerCase()
  if (NAME.fault(spelled) === undefined) return spelled
  throw new HubError('bad-request', "an account's name has 1 to 128 characters, and no control characters", { field: 'account' })
}
