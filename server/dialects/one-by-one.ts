/** Work of one name begins when all that came before it under that name has ended. */
export class OneByOne {
  readonly #last = new Map<string, Promise<unknown>>()

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const done = (async () => {
      await before?.catch(() => undefined)
      return work()
    })()
    this.#last.set(name, done)
    try {
      return await done
    } finally {
      if (this.#last.get(name) === done) this.#last.delete(name)
    }
  }
}
