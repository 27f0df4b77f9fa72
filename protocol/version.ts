/** The version of the wire that this package speaks. Rises when a frame, an action or a change alters its meaning. */
export const PROTOCOL_VERSION = 1

/** The oldest version that a hub of this package still answers. A client below it is told `version-unsupported`. */
export const MIN_PROTOCOL_VERSION = 1

/** The WebSocket subprotocol that both ends name in the handshake (RFC 6455, section 1.9). */
export const SUBPROTOCOL = 'lectern.v1'

/**
 * SHA-256 of the declared wire (frames, actions, changes, views, errors, limits, and the names in an annotation document), first 16 hex digits.
 * A test compares it with the tables, so that no one changes the wire without looking at the version.
 */
export const WIRE_HASH = 'c4b9affbfb4526d8'
