import * as Y from 'yjs'
import { HubError, splitUpdate, structsByClient, writeUpdate, type Spans } from '../../../../protocol/index.ts'
import { firstIndex } from '../../first-index.ts'
import { decodeUpdate, diffUpdate } from './sparing-decoder.ts'
import { CarefulDecoder, mustHoldWholeNumbers } from './untrusted.ts'

/** Yjs clients with edits that a document lacks: putting those in order may take the square of how many they are. */
const MAX_FRESH_CLIENTS = 1_000

/**
 * What an update brings that a document lacks, within the limits: a device that comes back sends all that was ever deleted, and other things that are known.
 *
 * @throws HubError `too-large` as `splitUpdate` does, and for new edits of very many Yjs clients; `bad-update` for ids that share a hash, and numbers that are none
 * @throws Error when the update cannot be read
 */
export function missingUpdates(update: Uint8Array, doc: Y.Doc): Uint8Array[] {
  mustHoldWholeNumbers(Y.decodeUpdateV2(update, CarefulDecoder))
  const fresh = diffUpdate(update, Y.encodeStateVector(doc))
  const { structs, ds } = decodeUpdate(fresh)
  const brought = structsByClient(structs)
  if (brought.length > MAX_FRESH_CLIENTS)
    throw new HubError('too-large', `the update has new edits of over ${MAX_FRESH_CLIENTS} Yjs clients`, { field: 'body' })
  const deleted = Y.createDeleteSetFromStructStore(doc.store).clients
  const clients: Spans = new Map()
  for (const [client, spans] of ds.clients) {
    const left = spans.filter(({ clock, len }) => !isCovered(clock, clock + len, deleted.get(client) ?? []))
    if (left.length > 0) clients.set(client, left)
  }
  if (structs.length === 0 && clients.size === 0) return []
  return splitUpdate(writeUpdate(brought, clients), { structs, ds: { clients } })
}

/** True when one of the spans, which are in order and apart from each other, holds all clocks from `start` to `end`. */
function isCovered(start: number, end: number, spans: Spans extends Map<number, infer List> ? List : never): boolean {
  const holding = spans[firstIndex(spans.length, index => spans[index]!.clock <= start) - 1]
  return holding !== undefined && end <= holding.clock + holding.len
}
