/** The end of a piece of work. */
export interface Ending {
  readonly signal: AbortSignal
  readonly end: (reason: unknown) => void
  /** MUST come when the work is over: the signals that it listens to may be there for far longer. */
  readonly release: () => void
}

/** An end that comes with the first of these signals, or by `end`. */
export function endingWith(...signals: readonly (AbortSignal | undefined)[]): Ending {
  const controller = new AbortController()
  const stops: (() => void)[] = []
  for (const signal of signals) {
    if (signal === undefined) continue
    const stop = (): void => controller.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    stops.push(() => signal.removeEventListener('abort', stop))
  }
  return {
    signal: controller.signal,
    end: reason => controller.abort(reason),
    release: () => {
      for (const stop of stops) stop()
    }
  }
}
