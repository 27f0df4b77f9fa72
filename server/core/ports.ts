import type { Connection } from '../../protocol/index.ts'

/** Time, as the core needs it. Tests and simulations bring their own. */
export interface Clock {
  /** Milliseconds since 1970, with fractions. May go back. */
  nowMs(): number
  /** Runs `task` once everything that has already arrived was handled: the border between two groups of work. */
  nextTurn(task: () => void): void
  /** Runs `task` after `delayMs`; the returned function cancels it. MUST NOT keep a process alive. */
  setTimer(delayMs: number, task: () => void): () => void
}

/** Resolves in the next turn. */
export const nextTurn = (clock: Clock): Promise<void> => new Promise(resolve => clock.nextTurn(resolve))

/** Where ids and secrets come from. MUST be unpredictable in production. */
export type RandomBytes = (count: number) => Uint8Array

/** Structured logging; `pino` fits. Never given secrets. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** A client's connection, as the hub needs it: it serves many, and trusts none. */
export interface HubConnection extends Connection {
  /** Where the client is, for limits and logs: an IP address, or a name that stands for none. */
  readonly remote: string
  /** @param mayWait the carrier may keep it for some milliseconds, to send it in one piece with others; never behind a later message */
  send(bytes: Uint8Array, mayWait?: boolean): void
  /** Asks the carrier to stop reading; what it has read already may still arrive. Undone by `resume`. */
  pause(): void
  resume(): void
}
