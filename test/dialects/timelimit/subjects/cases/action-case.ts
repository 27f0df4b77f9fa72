import * as assert from 'uvu/assert'
import {
  newId,
  newPassword,
  type ActionBody,
  type Actor,
  type Password,
  type SentAction,
  type TimeLimitDevice
} from '../../../../util/timelimit-client.ts'
import { newFamily, type Family, type TimeLimitHub } from '../../../../util/timelimit-hub.ts'
import type { HouseholdMirror } from '../../../../util/timelimit-mirror.ts'

/** A family in which every kind of action can be tried. */
export interface Scene {
  readonly family: Family
  readonly parent: Actor
  /** The parent's device, which sends unless the case says otherwise. */
  readonly device: TimeLimitDevice
  /** The child's device, about which actions are. */
  readonly target: TimeLimitDevice
  /** A device that only looks on. */
  readonly watcher: TimeLimitDevice
  readonly child: Actor
  /** Has the parent do something that is expected to take effect. */
  readonly act: (body: ActionBody) => Promise<void>
  readonly addUser: (userType: 'child' | 'parent', withPassword?: boolean) => Promise<Actor & { readonly password: Password }>
  readonly addCategory: (childId?: string) => Promise<string>
  readonly addTask: (categoryId: string, extraTimeDuration?: number) => Promise<string>
  readonly addRule: (categoryId: string) => Promise<string>
}

/** One kind of action: what it is sent as, what it does, and with what it is refused. */
export interface ActionCase {
  readonly type: string
  /** Tells two cases of one type apart. */
  readonly when?: string
  readonly by: 'appLogic' | 'parent' | 'child'
  readonly sender?: 'device' | 'target'
  /** Who acts, when it is not the parent or the child of the scene. */
  readonly actor?: (given: any, scene: Scene) => Actor
  /** What has to be there before. @returns what the other members are given */
  readonly prepare?: (scene: Scene) => Promise<any>
  /** Its members beside `type`. */
  readonly body: (given: any, scene: Scene) => Record<string, unknown>
  /** Members that may be missing. */
  readonly optional?: readonly string[]
  /** Numbers that may be below zero. */
  readonly signed?: readonly string[]
  /** Checks what a device was told after it. */
  readonly effect: (after: HouseholdMirror, given: any, scene: Scene, answer: any) => unknown
  /** Every version that it changes; one with `?` behind it may change. */
  readonly versions: (given: any, scene: Scene) => readonly string[]
  /** How the other devices are told: not at all, unimportant, important; undefined when either may be. */
  readonly notify: 0 | 1 | 2 | undefined
  /** How the target is, when more than the others. */
  readonly tellsTarget?: 1 | 2 | undefined
  /** Members in place of the body's, with which it is refused, beside those that follow from the body's types. */
  readonly refused?: (given: any, scene: Scene) => Record<string, Record<string, unknown>>
}

export async function newScene(hub: TimeLimitHub): Promise<Scene> {
  const family = await newFamily(hub)
  const { device, parent } = family
  const [target, watcher] = [await family.join('target'), await family.join('watcher')]
  const act: Scene['act'] = body => device.act(device.parent(parent, body))
  const addUser: Scene['addUser'] = async (userType, withPassword = userType === 'parent') => {
    const user = { id: newId(), password: newPassword() }
    await act({
      type: 'ADD_USER',
      userId: user.id,
      name: userType,
      userType,
      timeZone: 'Europe/Berlin',
      ...(withPassword && { password: user.password })
    })
    return { ...user, secondHash: user.password.secondHash }
  }
  const child = await addUser('child', true)
  return {
    family,
    parent,
    device,
    target,
    watcher,
    child,
    act,
    addUser,
    async addCategory(childId = child.id) {
      const categoryId = newId()
      await act({ type: 'CREATE_CATEGORY', childId, categoryId, title: 'games' })
      return categoryId
    },
    async addTask(categoryId, extraTimeDuration = 60_000) {
      const taskId = newId()
      await act({ type: 'UPDATE_CHILD_TASK', isNew: true, taskId, categoryId, taskTitle: 'tidy up', extraTimeDuration })
      return taskId
    },
    async addRule(categoryId) {
      const ruleId = newId()
      await act({ type: 'CREATE_TIMELIMIT_RULE', rule: { ruleId, categoryId, time: 3_600_000, days: 127, extraTime: false } })
      return ruleId
    }
  }
}

/** The action of a case, signed, with other members or without. */
export function actionOf(one: ActionCase, given: any, scene: Scene, body: Record<string, unknown>): SentAction {
  const sender = scene[one.sender ?? 'device']
  const whole = { type: one.type, ...body }
  if (one.by === 'appLogic') return sender.appLogic(whole)
  const actor = one.actor?.(given, scene) ?? (one.by === 'child' ? scene.child : scene.parent)
  return one.by === 'child' ? sender.child(actor, whole) : sender.parent(actor, whole)
}

/** Every body with which the action is refused, by what is wrong with it. */
export function refusals(one: ActionCase, given: any, scene: Scene): [wrong: string, body: Record<string, unknown>][] {
  const body = one.body(given, scene)
  const found: [string, Record<string, unknown>][] = [['a member that is none', { ...body, extra: 1 }]]
  for (const [name, value] of Object.entries(body)) {
    const { [name]: _, ...without } = body
    if (one.optional?.includes(name) !== true) found.push([`no ${name}`, without])
    found.push([`${name} of another type`, { ...body, [name]: typeof value === 'string' ? 5 : '5' }])
    found.push([`${name} null`, { ...body, [name]: null }])
    if (typeof value === 'number') found.push([`${name} no whole number`, { ...body, [name]: 1.5 }])
    if (typeof value === 'number' && one.signed?.includes(name) !== true) found.push([`${name} below 0`, { ...body, [name]: -1 }])
    if (/^[\w]*Id$/.test(name) && (value as string).length === 6) found.push([`${name} no id`, { ...body, [name]: 'ab cd!' }])
  }
  for (const [wrong, patch] of Object.entries(one.refused?.(given, scene) ?? {})) found.push([wrong, { ...body, ...patch }])
  return found
}

/** Says that of two states of the same mirror just these versions differ. */
export function haveChanged(before: Record<string, string>, after: Record<string, string>, expected: readonly string[]): void {
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(name => before[name] !== after[name])
  const optional = expected.filter(name => name.endsWith('?')).map(name => name.slice(0, -1))
  assert.equal(
    changed.filter(name => !optional.includes(name)).sort(),
    expected.filter(name => !name.endsWith('?')).sort(),
    'the versions that changed'
  )
}
