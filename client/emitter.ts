/**
 * Calls listeners by event name, in the order in which they came. What a listener brings about is told when all have heard of what came before, so
 * that each hears everything in the same order. `Events` maps a name to the arguments of its listeners.
 */
export class Emitter<Events extends { [K in keyof Events]: readonly unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<(...details: never) => void>>()
  readonly #calls: (() => void)[] = []
  #isCalling = false

  /** Calls `listener` at every `event` from now on, until the returned function is called. */
  on<K extends keyof Events>(event: K, listener: (...details: Events[K]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners)
    const entry = (...details: Events[K]): void => listener(...details)
    listeners.add(entry)
    return () => void listeners.delete(entry)
  }

  /** A listener that throws does not keep the others from being called: its error surfaces in a turn of its own. */
  emit<K extends keyof Events>(event: K, ...details: Events[K]): void {
    const listeners = this.#listeners.get(event)
    for (const listener of listeners ?? [])
      this.#calls.push(() => listeners!.has(listener) && (listener as (...details: Events[K]) => void)(...details))
    if (this.#isCalling) return
    this.#isCalling = true
    for (let call = this.#calls.shift(); call !== undefined; call = this.#calls.shift()) {
      try {
        call()
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
    this.#isCalling = false
  }

  clear(): void {
    this.#listeners.clear()
  }
}
