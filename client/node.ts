import { connect, type Client, type ConnectOptions } from './client.ts'
import { BoundedWebSocket } from './node/bounded-web-socket.ts'
import { nodeHash } from './node/file-source.ts'
import { FileStorage } from './node/storage-file.ts'
import type { WebSocketClass } from './ws-connection.ts'

export * from './index.ts'
export { openFileSource } from './node/file-source.ts'
export { FileStorage, StorageDamagedError } from './node/storage-file.ts'

export type ConnectNodeOptions = ConnectOptions & {
  /** Keeps the outbox and the mirror in this file, instead of `storage`. One process at a time. */
  readonly file?: string
}

/**
 * `connect` for Node: with the WebSocket of `ws`, and storage in a file where one is named.
 *
 * @throws what `connect` and `FileStorage.open` throw
 */
export async function connectNode({ file, ...options }: ConnectNodeOptions): Promise<Client> {
  const storage = file === undefined ? options.storage : await FileStorage.open(file)
  return connect({ webSocket: BoundedWebSocket as WebSocketClass, newHash: nodeHash, ...options, ...(storage && { storage }) })
}
