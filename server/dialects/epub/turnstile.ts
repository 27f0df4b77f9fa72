/** Bodies up to this size pass beside the others. */
const SMALL_BYTES = 65_536

/** Lets large bodies be read one after another, since what is built of one while it is read takes many times its size. */
export class Turnstile {
  #last: Promise<unknown> = Promise.resolve()

  /** @throws whatever `work` throws */
  pass<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (bytes <= SMALL_BYTES) return work()
    const passed = this.#last.then(work)
    this.#last = passed.catch(() => undefined)
    return passed
  }
}
