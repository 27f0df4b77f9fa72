/** Calls listeners by event name, in the order in which they came. `Events` maps a name to the arguments of its listeners. */
export class Emitter<Events extends { [K in keyof Events]: readonly unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<(...details: never) => void>>()

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
    const listeners = Array.from(this.#listeners.get(event) ?? [])
    for (const listener of listeners) {
      try {
        ;(listener as (...details: Events[K]) => void)(...details)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
