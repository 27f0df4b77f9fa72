/** Why a connection ended, as both ends see it. */
export interface CloseReason {
  /** WebSocket close code (RFC 6455, section 7.4, and `ERRORS`). */
  readonly code: number
  readonly text: string
}

/** What a connection tells the one end that listens to it. */
export interface ConnectionEvents {
  /** One whole message from the other end. The bytes are untrusted, and are the listener's to keep. */
  onFrame(bytes: Uint8Array): void
  /** Of what was sent something has left, or the other end has said that it has it: `bufferedBytes` may be small again. */
  onDrain(): void
  /** Comes exactly once, whoever closed; nothing comes after it. */
  onClose(reason: CloseReason): void
}

/**
 * One live, ordered, message-keeping way to the other end, over any carrier.
 * Implementations MUST NOT call a listener from within `send` or `close`.
 */
export interface Connection {
  /** Bytes given to `send` that the carrier has not yet handed to the system. */
  readonly bufferedBytes: number
  listen(events: ConnectionEvents): void
  /** Sends one message. The bytes MUST NOT change afterwards. Does nothing once the connection is closed. */
  send(bytes: Uint8Array): void
  /** Ends the connection after what was sent, telling the other end why. */
  close(code: number, text: string): void
}
