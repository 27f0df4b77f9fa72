/** What was asked was closed before, or while it was at it. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError'

  constructor(message = 'the client is closed; what was not answered stays in its outbox') {
    super(message)
  }
}
