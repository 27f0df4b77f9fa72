/** The promises of the README, and what the demo saw of each. */
export class Report {
  #failures = 0

  say(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  /** A line of the story. */
  step(who: string, text: string): void {
    this.say(`  ${who.padEnd(6)} ${text}`)
  }

  /** What came of a promise. */
  promise(name: string, isKept: boolean, count: string): void {
    if (!isKept) this.#failures += 1
    this.say(`  ${isKept ? 'kept  ' : 'BROKEN'}  ${name.padEnd(17)} ${count}`)
  }

  get isGood(): boolean {
    return this.#failures === 0
  }
}

/** A quote that fits on a line. */
export const short = (text: string): string => `“${text.length > 60 ? `${text.slice(0, 59)}…` : text}”`
