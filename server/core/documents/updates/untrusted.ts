import { clone, createDecoder, readVarUint } from 'lib0/decoding'
import { dependenciesOf, HubError, LIMITS, type DecodedUpdate } from '../../../../protocol/index.ts'
import { SparingDecoder } from './sparing-decoder.ts'

/** So many ids are found fast, even where they share a hash. */
const FEW = 512
/** Buckets that ids are parted into by the lowest bits of their hash, as a Map of thousands does. */
const BUCKETS = 4_096
/** Over twice as many as any bucket has of all the ids that a document may have, taken at random. */
const MAX_PER_BUCKET = 64
/** An update may name each for what it made, and for what of it was deleted. */
const MAX_NAMED = 4 * LIMITS.maxDocumentClients

/**
 * Refuses ids of Yjs clients that were chosen to share a hash. V8's hash of numbers has no secret in it, and a Map with thousands in one bucket is searched one by one, several times with each update.
 * Ids taken at random always pass. A V8 with another hash is not protected by this.
 */
export class ClientIds {
  readonly #few: number[] = []
  #counts: Uint16Array | undefined
  #count = 0

  /** @throws HubError `bad-update` when too many lie in one bucket, there are more than an update of a document names, or one is no whole number */
  add(client: number): void {
    mustBeWhole(client)
    this.#count += 1
    if (this.#counts !== undefined) this.#addToBucket(client)
    else if (this.#few.push(client) > FEW) {
      this.#counts = new Uint16Array(BUCKETS)
      for (const known of this.#few) this.#addToBucket(known)
    }
  }

  #addToBucket(client: number): void {
    const bucket = hashOf(client) % BUCKETS
    if ((this.#counts![bucket]! += 1) > MAX_PER_BUCKET)
      throw new HubError('bad-update', 'the ids of too many Yjs clients share a hash; take them at random')
    if (this.#count > MAX_NAMED) throw new HubError('bad-update', `over ${MAX_NAMED} Yjs clients are named`)
  }
}

/** Values that a document's state may hold which a device sends at once. */
const MAX_STATE_VALUES = 2 * LIMITS.maxUpdateValues

/**
 * Reads an untrusted update of format version 1, and passes values by; those that were written as JSON are built.
 * @throws HubError `bad-update` before Yjs has too many of its clients in a Map, as `ClientIds` does; for too many values, or such as are nested too deep
 */
export class CarefulDecoder extends SparingDecoder {
  protected override readonly isBuilding = false
  protected readonly maxValues: number = MAX_STATE_VALUES
  readonly #clients = new ClientIds()

  override readAny(): unknown {
    const value = super.readAny()
    this.#mustHoldFew(0)
    return value
  }

  protected override enter(values: number, depth: number): void {
    if (depth > LIMITS.maxDocumentDepth)
      throw new HubError('bad-update', `the Yjs update nests values over ${LIMITS.maxDocumentDepth} deep; keep them flat`)
    this.#mustHoldFew(values)
  }

  #mustHoldFew(more: number): void {
    if (this.values + more > this.maxValues)
      throw new HubError('bad-update', `the Yjs update holds over ${this.maxValues} values`)
  }

  override readClient(): number {
    const client = super.readClient()
    this.#clients.add(client)
    return client
  }

  /** Comes before each client of which something is deleted. */
  override resetDsCurVal(): void {
    this.#clients.add(readVarUint(clone(this.restDecoder)))
  }
}

/**
 * Refuses an update with numbers that are none: lib0 reads some bytes as NaN or infinity, and never ends writing those. It MUST be asked before Yjs applies, cuts or compares an
 * untrusted update.
 *
 * @throws HubError `bad-update`
 */
export function mustHoldWholeNumbers({ structs, ds }: DecodedUpdate): void {
  for (const struct of structs) {
    mustBeWhole(struct.id.client)
    mustBeWhole(struct.id.clock + struct.length)
    for (const { client, clock } of dependenciesOf(struct)) mustBeWhole(client + clock)
  }
  for (const [client, spans] of ds.clients) {
    mustBeWhole(client)
    for (const { clock, len } of spans) mustBeWhole(clock + len)
  }
}

/** Takes a sum for its parts: where they are not negative it is whole and safe only where each of them is. */
function mustBeWhole(number: number): void {
  if (!Number.isSafeInteger(number)) throw new HubError('bad-update', 'the Yjs update holds a number over 2^53')
}

/** @throws HubError `bad-update` as `ClientIds` does; Error when it cannot be read */
export function inspectStateVector(stateVector: Uint8Array): void {
  const decoder = createDecoder(stateVector)
  const clients = new ClientIds()
  for (let left = readVarUint(decoder); left > 0; left--) {
    clients.add(readVarUint(decoder))
    readVarUint(decoder)
  }
}

/** What V8 makes of a number, of which a Map takes the lowest bits (`ComputeUnseededHash` and `ComputeLongHash`, `src/utils/utils.h`). */
export function hashOf(value: number): number {
  if (value !== (value | 0)) return hashOfDouble(value)
  let hash = (~value + (value << 15)) | 0
  hash ^= hash >>> 12
  hash = (hash + (hash << 2)) | 0
  hash ^= hash >>> 4
  hash = Math.imul(hash, 2_057)
  hash ^= hash >>> 16
  return hash & 0x3fffffff
}

const double = new DataView(new ArrayBuffer(8))
const as64 = (value: bigint): bigint => BigInt.asUintN(64, value)

/** Of a number that is no 32-bit integer. */
function hashOfDouble(value: number): number {
  double.setFloat64(0, value)
  let hash = double.getBigUint64(0)
  hash = as64(~hash + (hash << 18n))
  hash ^= hash >> 31n
  hash = as64(hash * 21n)
  hash ^= hash >> 11n
  hash = as64(hash + (hash << 6n))
  hash ^= hash >> 22n
  return Number(hash & 0x3fffffffn)
}
