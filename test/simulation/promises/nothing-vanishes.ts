import type { Check } from './index.ts'

/** What was ever in an account is there, removed or not; and what an app once kept in its outbox is in the log, or was refused. */
export const nothingVanishes: Check = ({ happenings, parties, logs }, inspection) => {
  for (const { account, model, shown } of inspection?.accounts ?? []) {
    const everPut = new Set(
      (logs.get(account) ?? []).filter(([, , , , , , kind]) => kind === 'book.put').map(([, , , , , , , key]) => key)
    )
    for (const [who, { books, annotations }] of shown) {
      const lost = [...everPut].find(book => !books.some(([id]) => id === book))
      if (lost !== undefined) return `${who} of ${account} has no book ${lost} any more`
      const gone = [...model.everAnnotated].find(name => !annotations.some(([id]) => id === name))
      if (gone !== undefined) return `${who} of ${account} has no annotation ${gone} any more`
    }
  }
  if (inspection === undefined) return undefined
  const settled = new Set<string>()
  for (const log of logs.values()) for (const [, , device, client, number] of log) settled.add(`${device} ${client} ${number}`)
  const kept = new Set<string>()
  const cutOff = new Set<string>()
  for (const happening of happenings) {
    if (happening.is === 'revoking') cutOff.add(happening.device)
    if (happening.is === 'sent' && happening.frame?.kind === 'acked') {
      const { device, client } = parties.get(happening.session)!
      for (const [number] of happening.frame.refused) settled.add(`${device} ${client} ${number}`)
    }
    if (happening.is !== 'kept') continue
    const { device, client } = happening.party
    for (const number of happening.numbers) kept.add(`${device} ${client} ${number}`)
    // What others took the place of goes in the write that brings them.
    if (happening.numbers.length > 0) for (const number of happening.erased) kept.delete(`${device} ${client} ${number}`)
  }
  for (const name of kept)
    if (!settled.has(name) && !cutOff.has(name.split(' ')[0]!)) return `what an app kept as ${name} is nowhere`
  return undefined
}
