/** Errors that one request is told of at most. */
const MAX_ERRORS = 100

/** What is wrong with a body, by the path of the member: `model.Markings[0].id`. The body as a whole is the parameter's bare name. */
export class ModelState {
  readonly #parameter: string
  readonly #messages = new Map<string, string[]>()
  #count = 0

  /** @param parameter what the body is called */
  constructor(parameter: string) {
    this.#parameter = parameter
  }

  get isValid(): boolean {
    return this.#count === 0
  }

  /** @param path of the member within the body; empty for the body itself */
  add(path: string, message: string): void {
    if (++this.#count > MAX_ERRORS) return
    const key = path === '' ? this.#parameter : path.startsWith('[') ? this.#parameter + path : `${this.#parameter}.${path}`
    const messages = this.#messages.get(key)
    if (messages === undefined) this.#messages.set(key, [message])
    else messages.push(message)
  }

  entries(): [path: string, messages: readonly string[]][] {
    return [...this.#messages]
  }
}

/** A path of members and indexes as text. */
export const pathOf = (steps: readonly (string | number)[]): string =>
  steps.map((step, at) => (typeof step === 'number' ? `[${step}]` : at === 0 ? step : `.${step}`)).join('')
