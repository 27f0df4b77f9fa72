/** Time and chance, as the SDK needs them. Tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970. May go back. */
  nowMs(): number
  /** Runs `task` after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void
  /** A number from 0 up to 1, never 1. */
  random(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  random: () => Math.random()
}

/** 128 random bits in hexadecimal. Works on pages served without TLS too, where `crypto.randomUUID` is missing. */
export const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
