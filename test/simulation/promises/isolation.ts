import type { Check } from './index.ts'

/** No session is sent a word of another account, and a revoked device is sent nothing and changes nothing from then on. */
export const isolation: Check = ({ happenings, parties, logs }) => {
  const accounts = [...new Set([...parties.values()].map(({ account }) => account))]
  /** Whose names are in a frame. One that goes to many is looked through once. */
  const named = new WeakMap<Uint8Array, string[]>()
  const strayIn = (bytes: Uint8Array, own: string): string | undefined => {
    let names = named.get(bytes)
    if (names === undefined) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      named.set(bytes, (names = accounts.filter(account => text.includes(`${account}:`))))
    }
    return names.find(account => account !== own)
  }
  const revoked = new Set<string>()
  let undecided = new Set<string>()
  for (const happening of happenings) {
    if (happening.is === 'revoking') undecided.add(happening.device)
    if (happening.is === 'revoked') revoked.add(happening.device)
    // One that was not durable is forgotten with the process.
    if (happening.is === 'hub' && happening.did === 'start') undecided = new Set()
    if (happening.is !== 'sent' || happening.by !== 'hub') continue
    const { session, bytes, frame } = happening
    const { account, device } = parties.get(session)!
    const stray = strayIn(bytes, account)
    if (stray !== undefined) return `session ${session} of ${account} was sent something of ${stray}`
    if ((revoked.has(device) || undecided.has(device)) && frame?.kind !== 'bye')
      return `session ${session} was sent ${frame?.kind} when its device was revoked`
  }
  for (const log of logs.values()) {
    const gone = new Set<string>()
    for (const [cursor, , device, , number, , kind, key] of log) {
      if (number > 0 && gone.has(device)) return `change ${cursor} is of the device ${device}, which was revoked before`
      if (kind === 'device.revoke') gone.add(key)
    }
  }
  return undefined
}
