import { WebSocket } from 'ws'
import { LIMITS } from '../../protocol/index.ts'

/** The WebSocket of `ws`, with the protocol's bound on what it takes into memory. */
export class BoundedWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { maxPayload: LIMITS.maxFrameBytes, perMessageDeflate: false })
  }
}
