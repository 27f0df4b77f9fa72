import type { Check } from './index.ts'

/** Every session gets the log, change by change, from the cursor that it came with; and the log's time rises. */
export const oneOrder: Check = ({ happenings, parties, logs, printOf }) => {
  for (const [account, log] of logs)
    for (let index = 1; index < log.length; index++)
      if (log[index]![1] <= log[index - 1]![1]) return `the time of ${account}'s log does not rise at change ${index + 1}`
  const cursors = new Map<number, number>()
  /** Sessions that were told to begin anew. */
  const begun = new Set<number>()
  for (const happening of happenings) {
    if (happening.is === 'sent' && happening.by === 'client' && happening.frame?.kind === 'hello')
      cursors.set(happening.session, happening.frame.cursor)
    if (happening.is !== 'arrived' || happening.by !== 'hub') continue
    const { frame, session } = happening
    if (frame?.kind === 'resync') {
      cursors.set(session, frame.cursor)
      begun.add(session)
    }
    if (frame?.kind === 'snapshot' && !begun.has(session)) return `session ${session} got a snapshot without a resync`
    if (frame?.kind !== 'changes') continue
    const log = logs.get(parties.get(session)!.account) ?? []
    let cursor = cursors.get(session)!
    for (const change of frame.changes) {
      if (change[0] !== cursor + 1) return `session ${session} got change ${change[0]} after ${cursor}`
      cursor = change[0]
      const own = log[cursor - 1]
      if (own === undefined || printOf(own) !== printOf(change))
        return `session ${session} got another change ${cursor} than the log's`
    }
    cursors.set(session, cursor)
  }
  return undefined
}
