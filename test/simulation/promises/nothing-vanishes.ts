import type { Check } from './index.ts'

/** What was ever in an account is there, removed or not; and what an app once kept in its outbox is in the log, or was refused. */
export const nothingVanishes: Check = ({ happenings, parties, logs, contentOf }, inspection) => {
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
  for (const log of logs.values())
    for (const [, , device, client, number, , kind, key, body] of log)
      settled.add(`${device} ${client} ${number} ${contentOf(kind, key, body)}`)
  const refused = new Set<string>()
  const kept = new Map<string, string>()
  const cutOff = new Set<string>()
  for (const happening of happenings) {
    if (happening.is === 'revoking') cutOff.add(happening.device)
    if (happening.is === 'sent' && happening.frame?.kind === 'acked') {
      const { device, client } = parties.get(happening.session)!
      for (const [number, code] of happening.frame.refused)
        if (code !== 'already-done' && code !== 'action-conflict') refused.add(`${device} ${client} ${number}`)
    }
    if (happening.is !== 'kept' && happening.is !== 'restored') continue
    const { device, client } = happening.party
    // What came after the copy is gone with the device.
    if (happening.is === 'restored')
      for (const name of kept.keys()) if (name.startsWith(`${device} ${client} `)) kept.delete(name)
    for (const [number, content] of happening.actions) kept.set(`${device} ${client} ${number}`, content)
    // What others took the place of goes in the write that brings them.
    if (happening.is === 'kept' && happening.actions.length > 0)
      for (const number of happening.erased) kept.delete(`${device} ${client} ${number}`)
  }
  for (const [name, content] of kept)
    if (!settled.has(`${name} ${content}`) && !refused.has(name) && !cutOff.has(name.split(' ')[0]!))
      return `what an app kept as ${name} is nowhere`
  return undefined
}
