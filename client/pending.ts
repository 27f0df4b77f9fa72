import type { ActionKind, Plain } from '../protocol/index.ts'
import type { ActionSize } from './action-check.ts'

/** The hub's word that an action is durable, and where it stands in the log; 0 when that is no longer known. */
export interface Ack {
  readonly cursor: number
}

/** One action that the hub has not answered, or whose answer the mirror has not reached. */
export interface Pending extends ActionSize {
  number: number
  readonly atMs: number
  readonly kind: ActionKind
  readonly key: string
  readonly body: Plain
  /**
   * `saving` → `saved` → `sent` → `done`. `held`: refused, and about to be replaced by another action.
   * A lost connection turns `sent` and `held` back into `saved`.
   */
  stage: 'saving' | 'saved' | 'sent' | 'held' | 'done'
  /** Once done: the cursor from which on the mirror holds its effect. */
  doneAt: number
  /** True once this process has sent it, or when an earlier one may have. */
  wasSent: boolean
  /** How often it was put together anew after a refusal. */
  readonly round: number
  readonly answer: Answer
}

/** The answer that the asker waits for. */
export interface Answer {
  readonly promise: Promise<Ack>
  readonly resolve: (ack: Ack) => void
  readonly reject: (error: Error) => void
}

export function newAnswer(): Answer {
  let resolve!: Answer['resolve']
  let reject!: Answer['reject']
  const promise = new Promise<Ack>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  // Whoever asked may not wait for the answer; a refusal is an event too.
  promise.catch(() => {})
  return { promise, resolve, reject }
}
