import { HubError } from '../../../protocol/index.ts'
import type { Exchange } from './exchange.ts'
import { fitting, whole } from './fitting.ts'
import { changedIn, isMembers, membersOf, remembered, type Members } from './members.ts'

/** How the names of settings begin that are this API's. */
const PREFIX = 'epub.'
const PAGE = 32

/**
 * What is a setting of the account: each kind of model by its name there, with the member that tells several of them apart.
 */
export const SETTINGS = {
  Account: { name: 'account', id: undefined, model: 'account' },
  PopupSettings: { name: 'popup', id: undefined, model: 'popupSettings' },
  AccountCodes: { name: 'code', id: 'Id', model: 'AccountCodeDto' },
  BookHtmlPages: { name: 'page', id: 'BookHtmlPageId', model: 'BookHtmlPage' },
  BookStyleSheets: { name: 'style', id: 'BookStyleSheetId', model: 'BookStyleSheet' }
} as const

export type SettingKind = keyof typeof SETTINGS

/** Members of an account that are nobody's preference, and are never kept or answered. */
const SECRETS = new Set(['Password', 'PasswordHash', 'SecurityStamp'])
/** Every request has a new one: it is kept with what else changes. */
const PASSING = new Set(['LastAccess'])

const settingName = (kind: SettingKind, members: Members): string => {
  const { name, id } = SETTINGS[kind]
  if (id === undefined) return PREFIX + name
  const value = members[id]
  if (!Number.isSafeInteger(value)) throw new HubError('bad-request', `${id}: a whole number is wanted`, { field: id })
  return `${PREFIX}${name}.${value as number}`
}

const itemOf = (setting: string): string => `setting:${setting}`

export function settingMembers(exchange: Exchange, kind: 'Account' | 'PopupSettings'): Members | undefined {
  const value = exchange.views.get('settings', settingName(kind, {}))?.value
  return isMembers(value) ? fitting(SETTINGS[kind].model, value) : undefined
}

/**
 * Takes one model that is kept as a setting: what the device changed of what it had is changed, member by member.
 * @throws HubError the refusal
 */
export async function takeSetting(exchange: Exchange, kind: SettingKind, model: object): Promise<void> {
  const all = membersOf(model)
  const sent = Object.fromEntries(Object.entries(all).filter(([name]) => kind !== 'Account' || !SECRETS.has(name)))
  const setting = settingName(kind, sent)
  const value = exchange.views.get('settings', setting)?.value
  const current = isMembers(value) ? fitting(SETTINGS[kind].model, value) : undefined
  const known = exchange.known(itemOf(setting))
  let names = changedIn(known ?? remembered(current ?? {}), sent)
  if (known === undefined && current !== undefined) names = names.filter(name => sent[name] !== null)
  const isAsItWas = names.every(name => PASSING.has(name))
  const next = { ...current, ...Object.fromEntries(names.map(name => [name, sent[name]!])) }
  await exchange.perform(isAsItWas ? [] : [['setting.put', setting, { value: next }]], () => {
    // What it did not send, and an answer has all the same, is no news to it.
    const filled = current === undefined ? remembered(lasting(wholeOf(kind, next))) : known
    exchange.sent(itemOf(setting), { ...filled, ...remembered(lasting(sent)) })
  })
}

const wholeOf = (kind: SettingKind, value: unknown): Members => whole(SETTINGS[kind].model, fitting(SETTINGS[kind].model, value))

const lasting = (members: Members): Members => Object.fromEntries(Object.entries(members).filter(([name]) => !PASSING.has(name)))

/** A setting of this API that the device does not have as it is. */
export interface ToldSetting {
  readonly kind: SettingKind
  readonly members: Members
}

/**
 * The settings of this API that changed since the device last asked, oldest change first, and up to where the device then has them all.
 * @param most how many, and how many bytes of text, about; at least one is told
 */
export async function settingsFor(
  exchange: Exchange,
  untilUs: number,
  most: { readonly items: number; readonly bytes: number },
  turn: () => Promise<void>
): Promise<{ told: ToldSetting[]; untilUs: number }> {
  const found: { name: string; changedAtUs: number }[] = []
  for (let after = PREFIX, isLast = false; !isLast;) {
    const page = exchange.views.range('settings', [], after, PAGE)
    for (const [name, { value, changedAtUs }] of page) {
      if (!name.startsWith(PREFIX)) break
      if (changedAtUs > exchange.sinceUs && isMembers(value)) found.push({ name, changedAtUs })
    }
    after = page.at(-1)?.[0] ?? ''
    isLast = page.length < PAGE || !after.startsWith(PREFIX)
    await turn()
  }
  found.sort((left, right) => left.changedAtUs - right.changedAtUs)
  const told: ToldSetting[] = []
  let bytes = 0
  for (const [index, { name }] of found.entries()) {
    const kind = kindOf(name)
    if (kind === undefined) continue
    if (index % PAGE === PAGE - 1) await turn()
    // Read where it is told, since all of them together may be large. What it came to be meanwhile is told once more by the next answer.
    const value = exchange.views.get('settings', name)?.value
    if (!isMembers(value)) continue
    const members = wholeOf(kind, value)
    if (told.length >= most.items || bytes >= most.bytes) return { told, untilUs: found[index - 1]!.changedAtUs }
    if (!exchange.isNews(itemOf(name), lasting(members))) continue
    told.push({ kind, members })
    bytes += JSON.stringify(members).length
  }
  return { told, untilUs }
}

function kindOf(setting: string): SettingKind | undefined {
  const [, name] = setting.split('.')
  return (Object.keys(SETTINGS) as SettingKind[]).find(kind => SETTINGS[kind].name === name)
}
