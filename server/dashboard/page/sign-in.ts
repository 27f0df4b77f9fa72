import { html, type TemplateResult } from 'lit-html'
import { pair, signIn, type SignedIn } from '../../../client/index.ts'
import { placeOf } from './address.ts'
import type { View } from './screen.ts'
import { said } from './words.ts'

const APP = 'Lectern dashboard'

/** Takes the code out of the window's address, where nobody is to find it later. */
function takeCode(): string {
  const place = placeOf(location.hash)
  if (place === undefined || !('code' in place)) return ''
  history.replaceState(null, '', '/')
  return place.code
}

/** Asks for a pairing code, or a name and a password. */
export class SignInView implements View {
  readonly title = 'Lectern'
  readonly #redraw: () => void
  readonly #onSignedIn: (signedIn: SignedIn) => void
  #code = takeCode()
  readonly #takeCode = (): void => {
    this.#code = takeCode() || this.#code
    this.#redraw()
  }
  #problem: string
  #isBusy = false

  /** @param problem why it is asked for again */
  constructor(redraw: () => void, problem: string, onSignedIn: (signedIn: SignedIn) => void) {
    this.#redraw = redraw
    this.#problem = problem
    this.#onSignedIn = onSignedIn
    window.addEventListener('hashchange', this.#takeCode)
  }

  draw(): TemplateResult {
    return html`<main class="sign-in">
      <h1>Lectern</h1>
      <p>Sign this browser in to your library.</p>
      ${this.#problem && html`<p class="problem" role="alert">${this.#problem}</p>`}
      <form @submit=${this.#pair}>
        <label
          >Pairing code<input
            name="code"
            required
            autocomplete="one-time-code"
            autocapitalize="characters"
            .value=${this.#code}
          />
        </label>
        ${deviceName()}
        <button ?disabled=${this.#isBusy}>Pair this browser</button>
      </form>
      <p class="hint">
        A code is shown when the hub starts for the first time, by <code>npx lectern device pair NAME</code>, and under Devices
        wherever you are signed in.
      </p>
      <details>
        <summary>With a password</summary>
        <form @submit=${this.#signIn}>
          <label>Account<input name="account" required autocomplete="username" autocapitalize="none" /></label>
          <label>Password<input name="password" type="password" required autocomplete="current-password" /></label>
          ${deviceName()}
          <button ?disabled=${this.#isBusy}>Sign in</button>
        </form>
      </details>
    </main>`
  }

  close(): void {
    window.removeEventListener('hashchange', this.#takeCode)
  }

  readonly #pair = (event: SubmitEvent): void => this.#submit(event, field => pair({ ...asked(field), code: field('code') }))

  readonly #signIn = (event: SubmitEvent): void =>
    this.#submit(event, field => signIn({ ...asked(field), account: field('account'), password: field('password') }))

  #submit(event: SubmitEvent, ask: (field: (name: string) => string) => Promise<SignedIn>): void {
    event.preventDefault()
    const fields = new FormData(event.target as HTMLFormElement)
    this.#isBusy = true
    this.#redraw()
    ask(name => fields.get(name) as string)
      .then(this.#onSignedIn)
      .catch((error: unknown) => {
        this.#problem = said(error)
        this.#isBusy = false
        this.#redraw()
      })
  }
}

const asked = (field: (name: string) => string): { url: string; name: string; app: string } => ({
  url: location.origin,
  name: field('name'),
  app: APP
})

const deviceName = (): TemplateResult =>
  html`<label>Name of this device<input name="name" required maxlength="100" value=${likelyName()} /></label>`

/** What a person may call this browser. */
function likelyName(): string {
  const first = (names: readonly string[]): string | undefined => names.find(name => navigator.userAgent.includes(name))
  // Those first that name themselves as others, too.
  const machine = first(['iPhone', 'iPad', 'Android', 'Windows', 'Mac', 'Linux'])
  const browser = first(['Firefox', 'Edg', 'Chrome', 'Safari'])?.replace('Edg', 'Edge')
  return browser === undefined ? 'Browser' : machine === undefined ? browser : `${browser} on ${machine}`
}
