import type { Clock } from './core/ports.ts'

/** The machine's own time and event loop. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nextTurn: task => void setImmediate(task),
  setTimer(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  }
}
