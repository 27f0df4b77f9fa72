import { ACTION_ROWS } from './actions/index.ts'
import type { Actor } from './acting.ts'
import type { Row } from './row.ts'

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``

const LEVELS = ['', 'unimportant', 'important'] as const

function tellsOf({ tell, tellTarget }: Row): string {
  if (tellTarget <= tell) return LEVELS[tell]
  return [LEVELS[tell], `the device ${LEVELS[tellTarget]}`].filter(Boolean).join('; ')
}

function tableOf(actor: Actor): string {
  const rows = Object.entries(ACTION_ROWS[actor]).map(([type, row]) => {
    const members = Object.entries(row.fields).map(([name, { optional, words }]) =>
      code(`${name}${optional === true ? '?' : ''}: ${words}`)
    )
    const mayLimit = row.selfLimit ? ' †' : ''
    return [code(type) + mayLimit, members.join('<br>'), row.text, row.versions.map(code).join(' '), tellsOf(row)]
  })
  const heads = ['type', 'members', 'effect', 'versions', 'tells']
  return [heads, heads.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** The tables of the README that the rows give, by the names of their markers. */
export const ACTION_TABLES: Readonly<Record<string, () => string>> = {
  'actions of devices': () => tableOf('appLogic'),
  'actions of parents': () => tableOf('parent'),
  'actions of children': () => tableOf('child'),
  'actions of the hub': () => tableOf('hub')
}
