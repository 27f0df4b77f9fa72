import { HubError, type Plain } from '../../../protocol/index.ts'
import type { AccountDirectory } from '../../auth/accounts.ts'
import { createSignInLimits } from '../../auth/sign-in-limits.ts'
import type { Account } from '../../core/account.ts'
import type { Hub } from '../../core/hub.ts'
import { Origin } from '../../core/origin.ts'
import { mustHaveRoomForDevice } from '../../core/policy.ts'
import type { Clock, Logger, RandomBytes } from '../../core/ports.ts'
import type { Store } from '../../core/store.ts'
import { MAX_DEVICES } from './actions/hub.ts'
import { ACTION_ROWS } from './actions/index.ts'
import type { DeviceKey, DeviceKeys } from './device-keys.ts'
import { DeviceWords } from './device-words.ts'
import { familyOf } from './family.ts'
import { FamilyReadings } from './family-readings.ts'
import { foldMail, MailCodes, type MailCodeParts } from './mail-codes.ts'
import { MailOwners } from './mail-owners.ts'
import { mustHaveRoom } from './refuse.ts'
import { HouseholdSockets, type Urgency } from './sockets.ts'
import { Telling } from './telling.ts'
import { DeviceTokens, type Caller } from './tokens.ts'
import { randomWord } from './words.ts'

/** Mails that may be asked for: from one address, and to one. */
const MAILS = { failuresPerAddress: 200, failuresPerAccount: 5, windowMs: 3_600_000 } as const

export interface HouseholdParts {
  readonly hub: Hub
  readonly store: Store
  readonly directory: AccountDirectory
  readonly clock: Clock
  readonly logger: Logger
  readonly randomBytes: RandomBytes
  readonly keys: DeviceKeys
  /** Has a code reach whoever reads this address. */
  readonly sendCode: MailCodeParts['send']
}

/** An action of the hub's own. */
type HubAction = { readonly type: string } & Readonly<Record<string, Plain>>

/** A device that is about to join. */
export interface NewDevice {
  readonly deviceId: string
  readonly name: string
  readonly model: string
}

/** A parent whose family is made. */
export interface NewParent {
  readonly mail: string
  readonly name: string
  readonly timeZone: string
  readonly password: Readonly<Record<'hash' | 'secondHash' | 'secondSalt', string>>
}

/** What a new device is given, once. */
export interface Joined extends Caller {
  readonly token: string
}

/** Families, and who comes in and goes: what this API, and the operator, do about them beside the families' own actions. */
export class Households {
  readonly tokens: DeviceTokens
  readonly words: DeviceWords
  readonly codes: MailCodes
  readonly sockets: HouseholdSockets
  readonly readings = new FamilyReadings()
  readonly telling: Telling
  readonly #parts: HouseholdParts
  readonly #mails: MailOwners
  /** Addresses whose families are being made. */
  readonly #making = new Set<string>()

  constructor(parts: HouseholdParts) {
    this.#parts = parts
    this.tokens = new DeviceTokens(parts.hub, parts.store, parts.randomBytes)
    this.telling = new Telling(parts.clock)
    this.words = new DeviceWords(parts.clock, parts.randomBytes)
    this.sockets = new HouseholdSockets(this.tokens, parts.logger)
    const limits = createSignInLimits({ randomBytes: parts.randomBytes, ...MAILS })
    this.codes = new MailCodes({ ...parts, limits, send: parts.sendCode })
    this.#mails = new MailOwners(parts.store)
  }

  /** The parent who has an address, and the family; undefined when nobody does. */
  async parentOf(mail: string): Promise<{ account: Account; user: string } | undefined> {
    const owner = this.#mails.find(mail)
    const account = owner === undefined ? undefined : await this.#parts.hub.account(owner)
    const found =
      account &&
      familyOf(account.views)
        .all('user')
        .find(([, { user }]) => user.mail === mail)
    return found && { account, user: found[0] }
  }

  /**
   * Keeps an account for the family of an address, and makes the account when there is none of this name.
   * @throws HubError `already-exists` when either has a family, or the address is kept for another account
   */
  async reserve(name: string, text: string): Promise<{ account: string; mail: string }> {
    const mail = mustBeMail(text)
    const { directory } = this.#parts
    const owner = this.#mails.find(mail)
    const known = directory.find(name)
    if (known !== undefined && (await this.#hasFamily(known.id)))
      throw new HubError('already-exists', `${known.name} is a family already`, { field: 'account' })
    if (owner !== undefined && owner !== known?.id) {
      // A family whose parent has the address no more does not hold it.
      const isHeld = (await this.parentOf(mail)) !== undefined || !(await this.#hasFamily(owner))
      if (isHeld) {
        const holder = directory.list().find(({ id }) => id === owner)?.name
        throw new HubError('already-exists', `${mail} belongs to the account ${holder} already`, { field: 'mail' })
      }
    }
    const entry = known ?? (await directory.add(name))
    if (owner !== entry.id) await this.#mails.put(mail, entry.id)
    return { account: entry.name, mail }
  }

  /**
   * Makes a family of a parent and its first device, in the account that is kept for the address or in a new one.
   * @throws HubError `already-exists` when there is a parent with this address
   */
  async create(parent: NewParent, { name: deviceName, model }: Omit<NewDevice, 'deviceId'>): Promise<Joined> {
    const { password, ...about } = parent
    const { mail } = about
    const taken = (): HubError => new HubError('already-exists', 'there is a parent with this address', { field: 'mail' })
    if (this.#making.has(mail)) throw taken()
    this.#making.add(mail)
    try {
      if ((await this.parentOf(mail)) !== undefined) throw taken()
      const account = await this.#parts.hub.ensureAccount(await this.#accountFor(mail))
      const device = { deviceId: this.#newId(), name: deviceName, model }
      return await this.#enter(account, device, {
        type: 'CREATE_FAMILY',
        parent: { userId: this.#newId(), ...about },
        password: { ...password },
        device: { ...device }
      })
    } finally {
      this.#making.delete(mail)
    }
  }

  /** Lets a device into a family. @param userId who uses it from the beginning; nobody by default */
  join(account: Account, device: NewDevice, userId?: string): Promise<Joined> {
    return this.#enter(account, device, { type: 'ADD_DEVICE', device: { ...device }, ...(userId !== undefined && { userId }) })
  }

  /** Lets another device of the parent who has an address into the family; undefined when nobody has it. */
  async signIn(mail: string, device: Omit<NewDevice, 'deviceId'>): Promise<Joined | undefined> {
    const parent = await this.parentOf(mail)
    return parent && this.join(parent.account, { deviceId: this.#newId(), ...device }, parent.user)
  }

  /** Takes a device out of its family for good. @param by the device that asks */
  async remove({ account, device: by }: Caller, device: string): Promise<void> {
    const isThere = (): boolean => familyOf(account.views).get('device', device) !== undefined
    if (!isThere()) throw new HubError('not-found', 'there is no such device')
    // In one turn, and so in one commit: a device that is gone from the family and not cut off would never hear that it is removed.
    const removed = this.act({ account, device: by }, { type: 'REMOVE_DEVICE', deviceId: device })
    const revoked = isThere() ? undefined : account.write('device.revoke', device, {}, { by })
    await Promise.all([removed, revoked])
    this.sockets.drop(account, device, { isTold: true })
  }

  /**
   * The device of a token says that it is reset: it stays in the family's list, so that parents see that, and the token is good for nothing.
   * @returns false for a token that never was one
   */
  async reportRemoved(token: string): Promise<boolean> {
    const caller = await this.tokens.find(token)
    if (caller === undefined) return (await this.tokens.isRemoved(token)) || this.#hasReported(token)
    const { account, device } = caller
    await this.act(caller, { type: 'REPORT_REMOVED', deviceId: device })
    const { name, app, readOnly } = account.views.get('devices', device)!
    await account.write('device.put', device, { name, app, readOnly }, { secretHash: this.tokens.unknownHash() })
    await this.tokens.retire(token)
    this.sockets.drop(account, device)
    return true
  }

  /**
   * Does an action of the hub's own for a device, and tells the others. Resolves once it is durable.
   * @throws HubError the refusal
   */
  async act({ account, device }: Caller, action: HubAction): Promise<void> {
    const encodedAction = JSON.stringify(action)
    const body = { sequenceNumber: -1, userId: '', integrity: '', encodedAction }
    await account.perform(new Origin(device, '', 'operator'), 'household.act', 'hub', body)
    const { tell, tellTarget } = ACTION_ROWS.hub[action.type]!
    const targets = new Map<string, Urgency>(typeof action.deviceId === 'string' ? [[action.deviceId, tellTarget]] : [])
    this.sockets.notify(account, tell, targets, device)
  }

  /** The key that a device seals new passwords for, by the time that its actions are taken at: the log's does not go back with the clock. */
  keyOf({ account, device }: Caller): DeviceKey {
    return this.#parts.keys.newest(device, Math.max(this.#parts.clock.nowMs(), account.timeUs / 1_000))
  }

  /** An account by its id, which the hub itself gave; undefined when there is none. */
  account(id: string): Promise<Account | undefined> {
    return this.#parts.hub.account(id)
  }

  /** Every family, and every account that is kept for one, for the operator. */
  async list(): Promise<Plain[]> {
    const rows: Plain[] = []
    const mails = this.#mails.all()
    for (const { name, id } of this.#parts.directory.list()) {
      const account = await this.#parts.hub.account(id)
      const family = account && familyOf(account.views)
      if (family?.get('family', 'family') === undefined) {
        if (mails.has(id)) rows.push({ account: name, keptFor: mails.get(id)! })
        continue
      }
      const users = family.all('user').map(([, { user }]) => user)
      rows.push({
        account: name,
        parents: users
          .filter(({ type }) => type === 'parent')
          .map(({ name, mail }) => (mail === '' ? name : `${name} <${mail}>`)),
        children: users.filter(({ type }) => type === 'child').map(({ name }) => name),
        devices: family.all('device').map(([id, { device }]) => `${id} ${device.name}`)
      })
    }
    return rows
  }

  /** Words with which a device joins the family that an account is. @throws HubError `not-found` */
  async openWords(name: string): Promise<{ words: string; device: string; expiresAtMs: number }> {
    const { id } = this.#parts.directory.get(name)
    if (!(await this.#hasFamily(id)))
      throw new HubError('not-found', `${name} is no family yet: a parent's app makes it one`, { field: 'account' })
    return this.words.open(id)
  }

  /** Registers a device of the account, with a token of its own, and has it enter the family by this action. */
  async #enter(account: Account, { deviceId, name, model }: NewDevice, action: HubAction): Promise<Joined> {
    // Before anything is written: what is written for a device that finds no room would stay.
    mustHaveRoomForDevice(account.views, deviceId)
    mustHaveRoom(familyOf(account.views).all('device').length, MAX_DEVICES, 'devices')
    const { token, secretHash } = await this.tokens.issue(account.id, deviceId)
    const app = `TimeLimit on ${model}`.slice(0, 256)
    await account.write('device.put', deviceId, { name, app, readOnly: false }, { secretHash })
    try {
      await this.act({ account, device: deviceId }, action)
    } catch (error) {
      await account.write('device.revoke', deviceId, {})
      throw error
    }
    return { account, device: deviceId, token }
  }

  /** A device that reported, and whose hub ended before its token was marked: now it is. */
  async #hasReported(token: string): Promise<boolean> {
    const place = this.tokens.placeOf(token)
    const account = place && (await this.account(place.account))
    if (account === undefined || familyOf(account.views).get('device', place!.device)?.device.reportUninstall !== true)
      return false
    await this.tokens.retire(token)
    return true
  }

  async #hasFamily(id: string): Promise<boolean> {
    const account = await this.#parts.hub.account(id)
    return account !== undefined && familyOf(account.views).get('family', 'family') !== undefined
  }

  /** The account that an address is to have its family in. */
  async #accountFor(mail: string): Promise<string> {
    const { directory } = this.#parts
    const kept = this.#mails.find(mail)
    if (kept !== undefined && !(await this.#hasFamily(kept))) return kept
    // Not the address alone: an account of that name may be somebody's library.
    const name = `family of ${mail}`
    const entry = await directory.add(directory.find(name) === undefined ? name : `${name} ${this.#newId()}`.slice(0, 128))
    await this.#mails.put(mail, entry.id)
    return entry.id
  }

  #newId(): string {
    return randomWord(this.#parts.randomBytes, 6)
  }
}

function mustBeMail(text: string): string {
  const mail = foldMail(text)
  if (mail === undefined) throw new HubError('bad-request', 'expected an address such as ada@example.org', { field: 'mail' })
  return mail
}
