import type { Frame } from '../../protocol/index.ts'
import type { Happening } from './history.ts'

/** A happening in one line, for whoever looks for what went wrong. */
export function told(happening: Happening): string {
  const { atMs } = happening
  return `${(atMs / 1_000).toFixed(3).padStart(9)} s  ${wordsFor(happening)}`
}

function wordsFor(happening: Happening): string {
  switch (happening.is) {
    case 'dialled':
      return `session ${happening.session} is dialled by ${happening.party.client || 'an app'} of ${happening.party.account}`
    case 'sent':
    case 'arrived':
      return `session ${happening.session}: ${happening.by} ${happening.is === 'sent' ? 'sends' : 'is heard:'} ${frameIn(happening.frame)}`
    case 'closed':
      return `session ${happening.session}: over for the ${happening.at} (${happening.code})`
    case 'flushed':
      return `flushed: ${happening.changes.map(([account, [cursor, , , client, number, , kind, key]]) => `${account} ${cursor} ${kind} ${key} (${client} ${number})`).join(', ')}`
    case 'trimmed':
      return `trimmed: ${happening.account} below ${happening.floor}`
    case 'hub':
      return `hub: ${happening.did}`
    case 'revoking':
    case 'revoked':
      return `${happening.is} ${happening.device} of ${happening.account}`
    case 'kept':
      return `${happening.party.client} keeps ${happening.actions.map(([number]) => number).join(' ')}, erases ${happening.erased.join(' ')}`
    case 'restored':
      return `${happening.party.client} is what it was, with ${happening.actions.map(([number]) => number).join(' ')}`
    default:
      return `${happening.is}: ${happening.what}`
  }
}

function frameIn(frame: Frame | undefined): string {
  if (frame === undefined) return 'no frame'
  switch (frame.kind) {
    case 'hello':
      return `hello ${frame.client} ${frame.epoch} ${frame.cursor}`
    case 'welcome':
      return `welcome head ${frame.head} last number ${frame.lastNumber}`
    case 'push':
      return `push ${frame.actions.map(([number, , kind, key]) => `${number} ${kind} ${key}`).join(', ')}; confirmed ${frame.confirmed}`
    case 'changes':
      return `changes ${frame.changes[0]?.[0]} to ${frame.changes.at(-1)?.[0]}`
    case 'snapshot':
      return `snapshot of ${frame.entries.map(([, , , , , , kind, key]) => `${kind} ${key}`).join(', ')}${frame.isLast ? ', the last' : ''}`
    case 'acked':
      return `acked ${frame.accepted.map(([number, cursor]) => `${number} at ${cursor}`).join(', ')}; refused ${frame.refused.map(([number, code]) => `${number} ${code}`).join(', ')}`
    case 'bye':
      return `bye ${frame.code}`
    case 'resync':
      return `resync ${frame.epoch} ${frame.cursor}`
    default:
      return frame.kind
  }
}
