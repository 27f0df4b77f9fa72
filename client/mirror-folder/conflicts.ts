import type { Client } from '../client.ts'
import { NoConnectionError } from '../hub-http.ts'
import { OfflineError } from '../reader.ts'

/** There is no connection, or none that works: everything waits. */
export const isOffline = (error: unknown): boolean => error instanceof OfflineError || error instanceof NoConnectionError

/**
 * Ends the conflicts of this device in which its side is a file of its own by now, or was a removal of what had changed: its folder has settled them.
 * @throws OfflineError, HubError
 */
export async function endOwnConflicts({ files, device }: Client): Promise<void> {
  const own = (await files.conflicts()).filter(conflict => conflict.device === device)
  if (own.length === 0) return
  // Removed ones, too: somebody saw them.
  const held = new Set((await files.list()).map(({ sha256 }) => sha256))
  for (const { id, client } of own)
    if (client === null || held.has(client.sha256))
      await files.resolve(id, { keep: 'server' }).catch((error: unknown) => {
        // Another may have ended it.
        if (isOffline(error)) throw error
      })
}
