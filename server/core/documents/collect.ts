import * as Y from 'yjs'

type Made = (Y.Item | Y.GC)[]

/** Fewer are left to Yjs. */
const MANY_CLOCKS = 256

/**
 * Collects what a transaction deleted, and joins it with what stands beside it, as Yjs does when a transaction ends (`src/utils/Transaction.js`). For each pair that it
 * joins Yjs moves on all that the client made later, so that a great many deletions take the square of what there is; here each client's list is gone through
 * once, and cut together once.
 *
 * Afterwards the transaction has no deletions: nothing is left to collect.
 */
export function collect({ deleteSet: { clients } }: Y.Transaction, { store }: Y.Doc): void {
  let clocks = 0
  for (const spans of clients.values()) for (const { len } of spans) clocks += len
  if (clocks < MANY_CLOCKS) return
  for (const [client, spans] of clients) {
    const made = store.clients.get(client)!
    for (const { clock, len } of spans)
      for (let index = Y.findIndexSS(made, clock); index < made.length && made[index]!.id.clock < clock + len; index++) {
        const item = made[index]!
        if (item instanceof Y.Item && item.deleted && !item.keep) item.gc(store, false)
      }
  }
  for (const [client, spans] of clients) {
    const last = spans.at(-1)!
    const made = store.clients.get(client)!
    join(made, Y.findIndexSS(made, spans[0]!.clock), Y.findIndexSS(made, last.clock + last.len - 1) + 1)
  }
  clients.clear()
}

/** Joins what belongs together of those from one index to another, each with what stands before it. */
function join(made: Made, from: number, to: number): void {
  const end = Math.min(to, made.length - 1)
  let kept = Math.max(0, from - 1)
  for (let index = kept + 1; index <= end; index++) {
    const [left, right] = [made[kept]!, made[index]!]
    if (!isJoined(left, right)) made[++kept] = right
  }
  made.splice(kept + 1, end - kept)
}

function isJoined(left: Y.Item | Y.GC, right: Y.Item | Y.GC): boolean {
  if (left.deleted !== right.deleted || left.constructor !== right.constructor || !left.mergeWith(right as Y.Item & Y.GC))
    return false
  if (right instanceof Y.Item && right.parentSub !== null) {
    const { _map: held } = right.parent as Y.AbstractType<unknown>
    if (held.get(right.parentSub) === right) held.set(right.parentSub, left as Y.Item)
  }
  return true
}
