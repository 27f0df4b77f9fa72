import * as Y from 'yjs'
import { collect } from './collect.ts'

/** A Yjs document that holds what was applied to it and nothing else. */
export class QuietDoc extends Y.Doc {
  override emit(...[name, parts]: Parameters<Y.Doc['emit']>): void {
    // Yjs tells of each update six times, and builds a list of listeners each time.
    if (this._observers.has(name)) super.emit(name, parts)
    if (name === 'afterTransaction') this.#end((parts as unknown as [Y.Transaction])[0])
  }

  #end(transaction: Y.Transaction): void {
    // Where a text has formatting, Yjs deletes what it finds unneeded of it after every update: a change that no device made, at a price that
    // grows with the square of what the update deleted.
    transaction._needFormattingCleanup = false
    // Whoever listens for the update is told of its deletions afterwards.
    if (!this._observers.has('update')) collect(transaction, this)
  }
}
