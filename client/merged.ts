import * as Y from 'yjs'

/** How many are merged at once: for Yjs, the time that it takes grows with the square of their number. */
const AT_ONCE = 64

/** Yjs v1 updates as one, however many. @param updates at least one */
export function merged(updates: readonly Uint8Array[]): Uint8Array {
  let left = updates
  while (left.length > 1) {
    const next: Uint8Array[] = []
    for (let at = 0; at < left.length; at += AT_ONCE) next.push(Y.mergeUpdates(left.slice(at, at + AT_ONCE)))
    left = next
  }
  return left[0]!
}
