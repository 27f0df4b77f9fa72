import type { Client } from '../client.ts'
import { NoConnectionError } from '../hub-http.ts'
import { OfflineError } from '../reader.ts'

/** There is no connection, or none that works: everything waits. */
export const isOffline = (error: unknown): boolean => error instanceof OfflineError || error instanceof NoConnectionError

/** The conflicts in which one side is this device's. */
export class OwnConflicts {
  readonly #client: Client
  #areEnded = false

  constructor(client: Client) {
    this.#client = client
    client.on('conflict', () => (this.#areEnded = false))
  }

  /**
   * Ends them, once the folder is the same as the hub's files. Where its side is a file of its own by now, or was a removal of what had changed, the folder has
   * settled it. Where it is none, because it was changed again before it got there, the hub puts it beside the path.
   *
   * @returns true when files came of it
   * @throws OfflineError, HubError
   */
  async end(): Promise<boolean> {
    if (this.#areEnded) return false
    this.#areEnded = true
    try {
      return await this.#endAll()
    } catch (error) {
      this.#areEnded = false
      throw error
    }
  }

  async #endAll(): Promise<boolean> {
    const { files, device } = this.#client
    const own = (await files.conflicts()).filter(conflict => conflict.device === device)
    if (own.length === 0) return false
    // Removed ones, too: somebody saw them.
    const held = new Set((await files.list()).map(({ sha256 }) => sha256))
    let isMore = false
    for (const { id, client } of own) {
      const isSettled = client === null || held.has(client.sha256)
      try {
        await files.resolve(id, { keep: isSettled ? 'server' : 'both' })
      } catch (error) {
        if (isOffline(error)) throw error
        // Another may have ended it.
        continue
      }
      if (isSettled) continue
      isMore = true
      held.add(client.sha256)
    }
    return isMore
  }
}
