import type { ErrorCode, HubError } from '../../protocol/index.ts'

/** What became of the actions that a hub was asked for, since it started. A repeat of one that was accepted counts no more. */
export class Tally {
  accepted = 0
  readonly refused = new Map<ErrorCode, number>()

  /** Counts a refusal. @returns why */
  refuse(error: HubError): HubError {
    this.refused.set(error.code, (this.refused.get(error.code) ?? 0) + 1)
    return error
  }
}
