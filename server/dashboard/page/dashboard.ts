import { html, nothing, type TemplateResult } from 'lit-html'
import { revokeDevice, type Client, type ClosedReason, type ErrorCode, type State } from '../../../client/index.ts'
import { DEVICES, placeOf } from './address.ts'
import { BookView } from './book.ts'
import { DevicesView } from './devices.ts'
import { LibraryView } from './library.ts'
import type { View } from './screen.ts'
import { said } from './words.ts'

const STATES: Readonly<Record<State, string>> = {
  offline: 'offline',
  connecting: 'connecting',
  'catching-up': 'catching up',
  live: 'live',
  closed: 'not connected'
}

/** The token is good for nothing any more. */
const SIGNED_OUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['unauthenticated', 'device-revoked'])

/** Everything of an account that one who is signed in sees: a bar, and the view that the address names. */
export class Dashboard implements View {
  readonly #client: Client
  readonly #token: string
  readonly #redraw: () => void
  readonly #leave: (why: string) => void
  readonly #stops: (() => void)[]
  #view: View
  #problem = ''

  /** @param leave signs out here, and says why */
  constructor(client: Client, token: string, redraw: () => void, leave: (why: string) => void) {
    this.#client = client
    this.#token = token
    this.#redraw = redraw
    this.#leave = leave
    this.#view = this.#viewOfAddress()
    const goThere = (): void => this.#goThere()
    const warn = (event: BeforeUnloadEvent): void => {
      if (client.unanswered > 0) event.preventDefault()
    }
    window.addEventListener('hashchange', goThere)
    window.addEventListener('beforeunload', warn)
    this.#stops = [
      () => window.removeEventListener('hashchange', goThere),
      () => window.removeEventListener('beforeunload', warn),
      client.on('state', (state, reason) => this.#stateChanged(state, reason)),
      client.on('book', redraw),
      client.on('position', redraw),
      client.on('presence', redraw),
      client.on('device', redraw),
      client.on('refused', ({ kind }, error) => this.#complain(`The hub refused ${kind}: ${said(error)}`)),
      client.on('error', error => console.error(error))
    ]
  }

  draw(): TemplateResult {
    const { state, unanswered } = this.#client
    return html`<header>
        <a class="name" href="#">Lectern</a>
        <nav><a href="#">Library</a> <a href=${DEVICES}>Devices</a></nav>
        <span class="state ${state}" role="status">${STATES[state]}${unanswered > 0 ? `, ${unanswered} to send` : nothing}</span>
        <button class="quiet" @click=${this.#signOut}>Sign out</button>
      </header>
      ${
        this.#problem &&
        html`<p class="problem" role="alert">${this.#problem} <button class="quiet" @click=${this.#calm}>Close</button></p>`
      }
      <main>${this.#view.draw()}</main>`
  }

  close(): void {
    this.#view.close?.()
    for (const stop of this.#stops) stop()
  }

  #viewOfAddress(): View {
    const place = placeOf(location.hash)
    const complain = (error: unknown): void => this.#complain(said(error))
    if (place !== undefined && 'book' in place) return new BookView(this.#client, place.book, this.#redraw, complain)
    if (place !== undefined && 'devices' in place) return new DevicesView(this.#client, this.#token, this.#redraw, complain)
    return new LibraryView(this.#client, this.#redraw, complain)
  }

  #goThere(): void {
    this.#view.close?.()
    this.#view = this.#viewOfAddress()
    this.#redraw()
  }

  #stateChanged(state: State, reason: ClosedReason | undefined): void {
    if (state !== 'closed' || reason === undefined) return this.#redraw()
    if (reason.code !== undefined && SIGNED_OUT.has(reason.code)) this.#leave(reason.message)
    else this.#complain(`${reason.message} Load this page again once that has changed.`)
  }

  #complain(problem: string): void {
    this.#problem = problem
    this.#redraw()
  }

  readonly #calm = (): void => this.#complain('')

  /** A token that is forgotten here is to be good for nothing elsewhere. */
  readonly #signOut = (): void => {
    const { device, unanswered } = this.#client
    if (unanswered > 0 && !confirm(`${unanswered} changes have not been sent yet. Sign out without them?`)) return
    revokeDevice({ url: location.origin, token: this.#token, device })
      .then(() => this.#leave(''))
      .catch((error: unknown) => this.#complain(said(error)))
  }
}
