import type { Suite } from '../../../util/suite.ts'
import { timelimitHub, type TimeLimitHub } from '../../../util/timelimit-hub.ts'
import { newScene, type Scene } from './cases/action-case.ts'

let suites = 0
let started: Promise<TimeLimitHub> | undefined
const cleanups: (() => unknown)[] = []

/** The hub that all suites of a process share, and a family of this suite's own on it. The hub is closed when the last of them has ended. */
export function household(test: Suite): { hub: () => Promise<TimeLimitHub>; scene: () => Promise<Scene> } {
  suites += 1
  test.shared.defer(async () => {
    suites -= 1
    if (suites === 0) for (const cleanup of cleanups.reverse()) await cleanup()
  })
  const hub = (): Promise<TimeLimitHub> => (started ??= timelimitHub({ defer: cleanup => void cleanups.push(cleanup) }))
  let made: Promise<Scene> | undefined
  return { hub, scene: () => (made ??= hub().then(newScene)) }
}
