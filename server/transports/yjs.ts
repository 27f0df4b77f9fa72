import type { IncomingMessage } from 'node:http'
import { LIMITS } from '../../protocol/index.ts'
import type { Hub } from '../core/hub.ts'
import { HocuspocusSession } from '../core/yjs/hocuspocus.ts'
import { YWebsocketSession, type YjsRequest } from '../core/yjs/y-websocket.ts'
import { tokenOf } from './http.ts'
import type { WsDoor } from './ws.ts'

/**
 * For `y-websocket` providers: `new WebsocketProvider('wss://hub/yjs', 'book/ID', doc, { params: { token } })`. A first message may be as long as any: the token
 * stands in the address, and nothing is read before it was looked at.
 *
 * @param path what stands before the document's name
 */
export const yWebsocketDoor = (hub: Hub, path: string): WsDoor => ({
  maxFirstBytes: LIMITS.maxFrameBytes,
  accept: (connection, request) => hub.admit(host => new YWebsocketSession(connection, host, read(request, path)))
})

/** For `@hocuspocus/provider`, which sends its token in its first message. */
export const hocuspocusDoor = (hub: Hub): WsDoor => ({
  maxFirstBytes: LIMITS.maxHelloBytes,
  accept: connection => hub.admit(host => new HocuspocusSession(connection, host))
})

function read(request: IncomingMessage, path: string): YjsRequest {
  const [place = ''] = (request.url ?? '').split('?', 1)
  return { name: place.slice(path.length), token: tokenOf(request) }
}
