import { createHash } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { Plain } from '../../../protocol/index.ts'
import type { Account } from '../../../server/core/account.ts'
import { Origin } from '../../../server/core/origin.ts'
import type { Store } from '../../../server/core/store.ts'
import type { DeviceKeys } from '../../../server/dialects/timelimit/device-keys.ts'
import { familyOf, type FamilyReading } from '../../../server/dialects/timelimit/family.ts'
import { TimeLimitHousehold } from '../../../server/dialects/timelimit/household.ts'
import { Pushes } from '../../../server/dialects/timelimit/push.ts'
import type { CategoryBase, Device, User } from '../../../server/dialects/timelimit/records.ts'
import { MemoryStore } from '../../../server/storage/memory.ts'
import { coreHub, type CoreHub } from '../../util/core-hub.ts'

export type Body = { readonly type: string } & Readonly<Record<string, Plain>>

/** Everyone in the scene's family. */
export const [PARENT, CHILD, OTHER_CHILD, PHONE, TABLET, GAMES] = ['parent', 'child1', 'child2', 'phone1', 'table1', 'games1']

/** What has the form of bcrypt's hashes, different for each name. */
export const hashOf = (name: string): string => `$2a$12$${name.padEnd(53, '.')}`
export const saltOf = (name: string): string => `$2a$12$${name.padEnd(22, '.')}`
export const passwordOf = (name: string): Record<'hash' | 'secondHash' | 'secondSalt', string> => ({
  hash: hashOf(`${name}first`),
  secondHash: hashOf(`${name}second`),
  secondSalt: saltOf(name)
})

export const sha512 = (text: string): string => createHash('sha512').update(text).digest('hex')

export interface Sent {
  readonly type: 'appLogic' | 'parent' | 'child'
  readonly userId: string
  readonly integrity: string
  readonly encodedAction: string
  readonly sequenceNumber: number
}

/** A family on a hub's core: a parent with a phone, two children, of whom the first uses a tablet and has a category. */
export class FamilyScene {
  readonly core: CoreHub
  readonly account: Account
  /** What other devices were told of each push, newest last. */
  readonly told: { device: string; others: number; devices: Record<string, number> }[] = []
  readonly #pushes: Pushes
  readonly #nextNumbers = new Map<string, number>()

  private constructor(core: CoreHub, account: Account, household: TimeLimitHousehold) {
    this.core = core
    this.account = account
    this.#pushes = new Pushes({
      household,
      clock: core.clock,
      told: (_, device, { others, devices }) => void this.told.push({ device, others, devices: Object.fromEntries(devices) })
    })
  }

  static async open(store: Store = new MemoryStore(), keys?: DeviceKeys): Promise<FamilyScene> {
    const household = new TimeLimitHousehold(keys)
    const core = coreHub({ store, household })
    const { account } = await core.account()
    const scene = new FamilyScene(core, account, household)
    for (const device of [PHONE, TABLET])
      await account.write(
        'device.put',
        device,
        { name: device, app: 'test', readOnly: false },
        { secretHash: new Uint8Array(32) }
      )
    await scene.hubDoes({
      type: 'CREATE_FAMILY',
      parent: { userId: PARENT, name: 'Ada', mail: 'ada@example.org', timeZone: 'Europe/Berlin' },
      password: passwordOf(PARENT),
      device: { deviceId: PHONE, name: 'phone', model: 'p' }
    })
    await scene.hubDoes({ type: 'ADD_DEVICE', device: { deviceId: TABLET, name: 'tablet', model: 't' } })
    for (const userId of [CHILD, OTHER_CHILD])
      await scene.parent({
        type: 'ADD_USER',
        userId,
        name: userId,
        userType: 'child',
        timeZone: '',
        password: passwordOf(userId)
      })
    await scene.parent({ type: 'SET_DEVICE_USER', deviceId: TABLET, userId: CHILD })
    await scene.parent({ type: 'CREATE_CATEGORY', childId: CHILD, categoryId: GAMES, title: 'games' })
    return scene
  }

  get family(): FamilyReading {
    return familyOf(this.account.views)
  }

  user(id: string): User {
    return this.family.get('user', id)!.user
  }

  device(id: string): Device {
    return this.family.get('device', id)!.device
  }

  base(id = GAMES): CategoryBase {
    return this.family.get('category', id)!.base
  }

  /** Every version there is, by name. */
  versions(): Record<string, string> {
    const { family } = this
    const all: Record<string, string> = { ...family.get('family', 'family')!.versions }
    for (const [id, { versions }] of family.all('category'))
      for (const [part, version] of Object.entries(versions)) all[`${part}:${id}`] = version
    for (const [id, { appsB, appsD }] of family.all('device'))
      Object.assign(all, { [`appsB:${id}`]: appsB, [`appsD:${id}`]: appsD })
    return all
  }

  async hubDoes(body: Body, device = PHONE): Promise<void> {
    const asked = { sequenceNumber: -1, userId: '', integrity: '', encodedAction: JSON.stringify(body) }
    await this.account.perform(new Origin(device, '', 'operator'), 'household.act', 'hub', asked)
  }

  /** An action with the device's next number, signed as it is documented. */
  sign(type: Sent['type'], device: string, userId: string, body: Body | string, integrity?: string): Sent {
    const sequenceNumber = this.#nextNumbers.get(device) ?? 0
    this.#nextNumbers.set(device, sequenceNumber + 1)
    const encodedAction = typeof body === 'string' ? body : JSON.stringify(body)
    const secondHash = this.family.get('user', userId)?.secondHash ?? ''
    const signed = type === 'appLogic' ? '' : sha512(`${sequenceNumber}${device}${secondHash}${encodedAction}`)
    return { type, userId, integrity: integrity ?? signed, encodedAction, sequenceNumber }
  }

  /** @returns whether a full sync is asked for */
  push(device: string, ...actions: readonly Sent[]): Promise<boolean> {
    return this.#pushes.push({ account: this.account, device }, actions)
  }

  /** The parent does it with the phone, and it is taken. */
  async parent(body: Body): Promise<void> {
    assert.is(await this.push(PHONE, this.sign('parent', PHONE, PARENT, body)), false, JSON.stringify(body))
  }

  /** The tablet does it, and it is taken. */
  async tablet(body: Body): Promise<void> {
    assert.is(await this.push(TABLET, this.sign('appLogic', TABLET, '', body)), false, JSON.stringify(body))
  }

  /** The tablet asks for it, and it is refused. */
  async tabletFails(body: Body): Promise<void> {
    assert.is(await this.push(TABLET, this.sign('appLogic', TABLET, '', body)), true, JSON.stringify(body))
  }

  async parentFails(body: Body): Promise<void> {
    assert.is(await this.push(PHONE, this.sign('parent', PHONE, PARENT, body)), true, JSON.stringify(body))
  }

  /** The child limits itself with the tablet. @returns whether that was refused */
  limitsItself(body: Body): Promise<boolean> {
    return this.push(TABLET, this.sign('parent', TABLET, CHILD, body, 'childDevice'))
  }
}
