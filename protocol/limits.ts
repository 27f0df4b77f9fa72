/**
 * Bounds that are part of the protocol: both ends hold them, before sign-in too.
 * The hub repeats those that a client plans with in `welcome`.
 */
export const LIMITS = {
  /** One frame, in either direction. */
  maxFrameBytes: 1_048_576,
  /** The first frame of a connection, which comes from someone not yet known. */
  maxHelloBytes: 4_096,
  /** Nesting of arrays and maps in a frame. */
  maxDepth: 16,
  /** Values in a frame, containers included. */
  maxFrameValues: 65_536,
  /** Entries of one map. */
  maxMapEntries: 256,
  /** The key of a map, in UTF-8. */
  maxMapKeyBytes: 128,
  /** Actions in one `push`. */
  maxActionsPerPush: 1_000,
  /** Actions that a client may have sent and not yet seen answered. */
  maxUnansweredActions: 4_096,
  /** Client ids that one device may ever use: the number that each has reached is kept for good. */
  maxDeviceClients: 1_024,
  /** Devices of an account that were not cut off. */
  maxDevices: 4_096,
  /** Answers that the hub keeps for one client until the client confirms them. */
  maxKeptAnswers: 4_096,
  /** The body of a plain action, encoded. */
  maxBodyBytes: 65_536,
  /** An action of a household as its own API has it, in UTF-16 code units. */
  maxHouseholdActionLength: 2_097_152,
  /** What of it goes to every device of the account, encoded. */
  maxHouseholdChangeBytes: 524_288,
  /** One Yjs update. */
  maxUpdateBytes: 786_432,
  /** Yjs clients that one update may name. */
  maxUpdateClients: 64,
  /** Structs that one Yjs update may hold, and spans that it may delete. */
  maxUpdateStructs: 2_000,
  /** Characters that one struct of a Yjs update may span. */
  maxUpdateSpan: 1_000_000,
  /** Values that one Yjs update may hold, keys included. */
  maxUpdateValues: 131_072,
  /** What taking in one update may cost, in items that Yjs passes by, and values: above all those between the neighbours that its items claim. */
  maxUpdateCost: 250_000,
  /** Yjs clients that may ever have edited one document: each makes every later edit a little dearer. */
  maxDocumentClients: 8_192,
  /** A book's annotation document, as one Yjs update. */
  maxDocumentBytes: 8_388_608,
  /** Items that such a document may consist of. */
  maxDocumentItems: 200_000,
  /** Types at the root of such a document, each with a name. */
  maxDocumentRoots: 64,
  /** Types within types of such a document, and values within a value. */
  maxDocumentDepth: 64,
  /** What a client says of where it reads, as JSON, in UTF-16 code units. */
  maxPresenceLength: 4_096,
  /** Books that one connection is present in at a time. */
  maxPresenceBooks: 8,
  /** Who has not said for so long where it reads is taken to be gone. Yjs's own rule (y-protocols, awareness.js). */
  presenceTimeoutMs: 30_000,
  /** How often a client says again where it reads. */
  presenceIntervalMs: 15_000,
  /** The target aimed at when changes are gathered into a frame. One larger change goes alone. */
  changesFrameBytes: 65_536,
  /** Time from an open connection to its `hello`. */
  helloTimeoutMs: 5_000,
  /** A connection on which nothing arrived for this long, not even a WebSocket pong, is cut. */
  idleTimeoutMs: 60_000,
  /** How often a client that has nothing to say says `ping`. */
  pingIntervalMs: 20_000
} as const
