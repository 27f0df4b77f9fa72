import type { ChangeKind, Plain } from '../protocol/index.ts'
import type { ClosedReason, State } from './session.ts'

/** One entry of the account's log, as it arrives. */
export interface ChangeEvent {
  readonly cursor: number
  /** The hub's clock. */
  readonly timeMs: number
  readonly device: string
  readonly kind: ChangeKind
  /** The book, the path, the setting or the device. */
  readonly key: string
  /** What the protocol has for its kind. */
  readonly body: Plain
  /** True when this client asked for it. */
  readonly isOwn: boolean
}

/** An action that the hub did not take. Its effect is gone again. */
export interface Refused {
  /** 0 of edits that were never sent, because no hub would take them. */
  readonly number: number
  readonly kind: string
  readonly key: string
}

/** What a client tells those who listen, and with which arguments. The events of a table come once for each key and batch of news. */
export interface ClientEvents {
  /** `reason` is there when the state is `closed` and nobody asked for it. */
  state: [state: State, reason: ClosedReason | undefined]
  change: [change: ChangeEvent]
  refused: [action: Refused, error: Error]
  /** A book looks different now. */
  book: [id: string]
  /** A book's annotations look different now. */
  annotations: [book: string]
  /** Somebody's place in a book did. */
  position: [book: string]
  /** Somebody who reads a book came, moved or left. */
  presence: [book: string]
  /** Something else is at a path now. */
  file: [path: string]
  /** A conflict of files came or was resolved. */
  conflict: [id: string]
  setting: [name: string]
  device: [id: string]
  /** Something failed that the client deals with by itself: a fault of the stream, a full disk. For logs. */
  error: [error: Error]
}
