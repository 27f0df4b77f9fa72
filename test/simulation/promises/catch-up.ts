import { differences } from './convergence.ts'
import type { Check } from './index.ts'

/** From a cursor of the log one gets exactly what one missed; from any other one is told to begin anew, with a snapshot where the log does not hold everything. Who stays connected is told everything. */
export const catchUp: Check = ({ happenings, parties, logs, printOf }, inspection) => {
  for (const { account, catchings, model } of inspection?.accounts ?? []) {
    const log = logs.get(account) ?? []
    for (const { epoch, cursor, canContinue, resync, changes, shown } of catchings) {
      const from = `from ${cursor} of "${epoch}" in ${account}`
      if (canContinue !== (resync === undefined))
        return `${from}: ${canContinue ? 'told to begin anew without need' : 'not told to begin anew'}`
      const missed = log.slice(resync ?? cursor)
      if (missed.length !== changes.length) return `${from}: ${changes.length} changes and not ${missed.length}`
      const wrong = missed.findIndex((change, index) => printOf(change) !== printOf(changes[index]!))
      if (wrong >= 0) return `${from}: change ${missed[wrong]![0]} is another`
      if (shown === undefined && (resync ?? 0) > 0) return `${from}: no snapshot`
      for (const difference of shown === undefined ? [] : differences(model, shown))
        return `${from}: the snapshot leads to other ${difference}`
    }
  }
  if (inspection === undefined) return undefined
  // Connections that were open when all was at rest.
  const last = new Map<number, number>()
  for (const happening of happenings) {
    if (happening.is === 'step' && happening.what === 'all is at rest') break
    if (happening.is === 'closed') last.delete(happening.session)
    if (happening.is === 'arrived' && happening.by === 'hub' && happening.frame?.kind === 'welcome')
      last.set(happening.session, 0)
    if (
      happening.is === 'arrived' &&
      happening.by === 'hub' &&
      happening.frame?.kind === 'changes' &&
      last.has(happening.session)
    )
      last.set(happening.session, happening.frame.changes.at(-1)![0])
  }
  for (const [session, cursor] of last) {
    const head = logs.get(parties.get(session)!.account)?.length ?? 0
    if (cursor > 0 && cursor !== head) return `session ${session} was left at ${cursor} of ${head}`
  }
  return undefined
}
