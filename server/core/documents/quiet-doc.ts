import * as Y from 'yjs'

/** A Yjs document that makes nothing of events without a listener: Yjs tells of each update six times, and builds a list of listeners each time. */
export class QuietDoc extends Y.Doc {
  override emit(...[name, parts]: Parameters<Y.Doc['emit']>): void {
    if (this._observers.has(name)) super.emit(name, parts)
  }
}
