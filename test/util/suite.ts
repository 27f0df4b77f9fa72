import { suite as uvuSuite } from 'uvu'

/** What a test body gets. */
export interface TestContext {
  /** Runs when the test ends, however it ends; last deferred, first run. */
  readonly defer: (cleanup: () => unknown) => void
}

export interface Suite {
  (fact: string, body: (context: TestContext) => unknown): void
  /** What the tests of a file share: what is deferred here runs behind the last of them. */
  readonly shared: TestContext
  run(): void
}

/**
 * A uvu suite whose tests have a time limit and clean up behind them: a test that hangs fails by name, and a server that it left open is closed.
 *
 * @param name the path of what it checks, such as `server/core/session`
 * @param limitMs guards against hanging, and is no measure of speed
 */
export function suite(name: string, { limitMs = 300_000 } = {}): Suite {
  const test = uvuSuite(name)
  const guarded = (body: (context: TestContext) => unknown) => async (): Promise<void> => {
    const cleanups: (() => unknown)[] = []
    let timer: NodeJS.Timeout | undefined
    try {
      await Promise.race([
        Promise.resolve(body({ defer: cleanup => cleanups.push(cleanup) })),
        new Promise((_, reject) => {
          timer = setTimeout(() => reject(new Error(`no result within ${limitMs} ms`)), limitMs)
        })
      ])
    } finally {
      clearTimeout(timer)
      for (const cleanup of cleanups.reverse()) await cleanup()
    }
  }
  const add = (fact: string, body: (context: TestContext) => unknown): void => test(fact, guarded(body))
  const shared: (() => unknown)[] = []
  test.after(async () => {
    for (const cleanup of shared.reverse()) await cleanup()
  })
  return Object.assign(add, { shared: { defer: (cleanup: () => unknown) => void shared.push(cleanup) }, run: () => test.run() })
}
