import type { Check } from './index.ts'

/** What was told to anyone, as an answer, as a change or as the head, was flushed by then, and stays. */
export const durable: Check = ({ happenings, parties, logs }) => {
  const heads = new Map<string, number>()
  for (const happening of happenings) {
    if (happening.is === 'flushed') for (const [account, [cursor]] of happening.changes) heads.set(account, cursor)
    if (happening.is !== 'sent' || happening.by !== 'hub') continue
    const { frame, session } = happening
    const { account, client } = parties.get(session)!
    const head = heads.get(account) ?? 0
    if (frame?.kind === 'welcome' && frame.head > head)
      return `session ${session} was told of the head ${frame.head} when ${head} was flushed`
    if (frame?.kind === 'view' && frame.cursor > head)
      return `session ${session} was shown a view of ${frame.cursor} when ${head} was flushed`
    const early = frame?.kind === 'snapshot' ? frame.entries.find(([cursor]) => cursor > head) : undefined
    if (early !== undefined) return `session ${session} was given a snapshot of ${early[0]} when ${head} was flushed`
    if (frame?.kind === 'changes' && frame.changes.at(-1)![0] > head)
      return `session ${session} was told of change ${frame.changes.at(-1)![0]} when ${head} was flushed`
    if (frame?.kind !== 'acked') continue
    for (const [number, cursor] of frame.accepted) {
      if (cursor > head) return `action ${number} of ${client} was acked at ${cursor} when ${head} was flushed`
      const change = logs.get(account)![cursor - 1]!
      if (change[3] !== client || change[4] !== number)
        return `action ${number} of ${client} was acked at ${cursor}, where the log has another change`
    }
  }
  return undefined
}
