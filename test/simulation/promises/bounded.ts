import type { Check } from './index.ts'

/** What the hub may hold unsent for one connection, in the bytes of the world, and beside that in frames: the answers to what it has let in. */
const MAX_BYTES = 262_144 + 65_536
const MAX_FRAMES = 4

/** No connection makes the hub hold more than its share, and who has left leaves nothing behind. */
export const bounded: Check = ({ happenings, weight }, inspection) => {
  const largest = new Map<number, number>()
  for (const happening of happenings) {
    if (happening.is !== 'sent' || happening.by !== 'hub') continue
    const { session, bytes, bufferedBytes } = happening
    const most = Math.max(largest.get(session) ?? 0, bytes.length)
    largest.set(session, most)
    if (bufferedBytes > MAX_BYTES + MAX_FRAMES * most * weight)
      return `session ${session} makes the hub hold ${bufferedBytes} bytes`
  }
  const [left] = inspection?.leftovers ?? []
  return left === undefined ? undefined : `everyone has left, but ${left}`
}
