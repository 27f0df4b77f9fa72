import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { HubError, type ErrorCode } from '../../protocol/index.ts'
import { Document } from '../../server/core/documents/document.ts'
import { listAnnotations } from '../../server/core/documents/annotations.ts'
import type { TailUpdate } from '../../server/core/documents/tail.ts'
import { atOnce } from '../../server/core/documents/steps.ts'
import type { Moment } from '../../server/core/change.ts'
import type { SnapshotRecord } from '../../server/core/records.ts'

/** A document's bytes. Deleted edits lie in more or fewer pieces, as they came; once read again they lie in one. */
function bytesOf(document: Document): string {
  const again = new Y.Doc()
  Y.applyUpdate(again, document.encode())
  return Buffer.from(Y.encodeStateAsUpdate(again)).toString('hex')
}

/** Everything that can be seen of a document. */
export function stateOf(document: Document): unknown {
  const { doc } = document
  return {
    vector: Buffer.from(Y.encodeStateVector(doc)).toString('hex'),
    bytes: bytesOf(document),
    pending: [doc.store.pendingStructs, doc.store.pendingDs],
    annotations: listAnnotations(doc)
  }
}

/** Folds the document at once; undefined when it cannot be folded. */
export const snapshotAtOnce = (document: Document): SnapshotRecord | undefined => atOnce(document.snapshotting())?.snapshot

/** The code with which something is refused; undefined when it is not. */
export function refusalOf(act: () => unknown): ErrorCode | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof HubError) return error.code
    throw error
  }
}

/** Where a device's update stands in a log that has nothing else. */
export const momentOf = (device: string, cursor = 1): Moment => ({ cursor, timeUs: cursor * 1_000_000, device })

/** A document that remembers what its log would hold, so that it can be built again. */
export class LoggedDocument {
  readonly document = Document.open('epoch', undefined, [])
  readonly log: TailUpdate[] = []

  apply(update: Uint8Array, device: string): void {
    const at = momentOf(device, this.log.length + 1)
    this.log.push({ update: this.document.apply(update, at), owner: device, at })
  }

  edit(change: (doc: Y.Doc) => void): Uint8Array {
    const at = momentOf('plain', this.log.length + 1)
    const update = this.document.edit(change, at)
    this.log.push({ update, owner: '@epoch', at })
    return update
  }

  rebuilt(): Document {
    return Document.open('epoch', undefined, this.log)
  }

  /** Applies what must be refused: nothing may be seen of it afterwards. */
  refuse(update: Uint8Array, device: string): ErrorCode {
    const before = stateOf(this.document)
    const code = refusalOf(() => this.apply(update, device))
    if (code === undefined) throw new Error('the update was accepted')
    assert.equal(stateOf(this.document), before, `a refused update (${code}) left a trace`)
    return code
  }
}
