import { html, nothing, type TemplateResult } from 'lit-html'
import { keyed } from 'lit-html/directives/keyed.js'
import {
  HubError,
  NoConnectionError,
  revokeDevice,
  type Client,
  type ClosedReason,
  type ErrorCode,
  type Refused,
  type State
} from '../../../client/index.ts'
import { DEVICES, placeOf } from './address.ts'
import { BookView } from './book.ts'
import type { ClosedWindows } from './closed-windows.ts'
import { DevicesView } from './devices.ts'
import { LibraryView } from './library.ts'
import type { Screen, View } from './screen.ts'
import { said } from './words.ts'

const STATES: Readonly<Record<State, string>> = {
  offline: 'offline',
  connecting: 'connecting',
  'catching-up': 'catching up',
  live: 'live',
  closed: 'not connected'
}

const UNREACHED =
  'The hub cannot be reached, so this browser stays among the devices until you cut it off there. Remove what it keeps all the same?'

/** What to do about some reasons for which the hub lets nobody in; of all others the page is to be loaded again once they have changed. */
const REMEDIES: Readonly<Partial<Record<ErrorCode, string>>> = {
  // A hub that was put back to an older backup, or started with another data folder: what was not sent is of use once that is mended.
  unauthenticated:
    'The hub does not know this browser. If it was started with other data by mistake, load this page again once that has changed; else sign out, and in again.',
  'too-many-clients':
    'This browser has come as a new one too often, as it does wherever it keeps nothing for this page. Sign out, and in again.'
}

/** Of a device that the hub lets in no more, or not now. */
const SHUT_OUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['unauthenticated', 'device-revoked', 'device-disabled'])

/** Everything of an account that one who is signed in sees: a bar, and the view that the address names. */
export class Dashboard implements View {
  readonly #client: Client
  readonly #closedWindows: ClosedWindows
  readonly #token: string
  readonly #screen: Screen
  readonly #leave: (why: string) => void
  readonly #stops: (() => void)[]
  /** Kept for as long as somebody is signed in, with what is sought in it. */
  readonly #library: LibraryView
  /** How far it was scrolled when it was left. */
  #libraryScrollY = 0
  #view: View
  #problem: string

  /**
   * @param leave signs out here, and says why
   * @param problem what is said at first
   */
  constructor(
    client: Client,
    closedWindows: ClosedWindows,
    token: string,
    screen: Screen,
    leave: (why: string) => void,
    problem: string
  ) {
    this.#client = client
    this.#closedWindows = closedWindows
    this.#token = token
    this.#screen = screen
    this.#leave = leave
    this.#problem = problem
    this.#library = new LibraryView(client, screen.redraw, error => this.#complain(said(error)))
    this.#view = this.#viewOfAddress()
    const { redraw } = screen
    const goThere = (): void => this.#goThere()
    // Of a view that is not drawn yet the browser would restore nothing.
    history.scrollRestoration = 'manual'
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
      client.on('refused', this.refused),
      client.on('error', error => console.error(error))
    ]
  }

  /** Tells of what was asked for and will not be. */
  readonly refused = ({ kind }: Refused, error: Error): void =>
    this.#complain(error instanceof HubError ? `The hub refused ${kind}: ${said(error)}` : said(error))

  get title(): string {
    return `${this.#view.title} · Lectern`
  }

  draw(): TemplateResult {
    const { state, unanswered } = this.#client
    return html`<header>
        <a class="name" href="#">Lectern</a>
        <nav><a href="#">Library</a> <a href=${DEVICES}>Devices</a></nav>
        <span class="state ${state}"
          ><span role="status">${STATES[state]}</span>${unanswered > 0 ? `, ${unanswered} to send` : nothing}</span
        >
        <button class="quiet" @click=${this.#signOut}>Sign out</button>
      </header>
      ${
        this.#problem &&
        html`<p class="problem" role="alert">${this.#problem} <button class="quiet" @click=${this.#calm}>Close</button></p>`
      }
      <main>${keyed(this.#view, this.#view.draw())}</main>`
  }

  close(): void {
    this.#view.close?.()
    for (const stop of this.#stops) stop()
  }

  #viewOfAddress(): View {
    const place = placeOf(location.hash)
    const complain = (error: unknown): void => this.#complain(said(error))
    if (place !== undefined && 'code' in place) {
      history.replaceState(null, '', '/')
      this.#problem = 'This browser is signed in already. To use the code here, sign out and open its link again.'
    }
    if (place !== undefined && 'book' in place) return new BookView(this.#client, place.book, this.#screen, complain)
    if (place !== undefined && 'devices' in place)
      return new DevicesView(this.#client, this.#token, this.#screen.redraw, complain)
    return this.#library
  }

  #goThere(): void {
    if (this.#view === this.#library) this.#libraryScrollY = window.scrollY
    this.#view.close?.()
    this.#view = this.#viewOfAddress()
    this.#screen.redraw()
    this.#screen.drawDue()
    // Who hears the page, or walks it by keys, begins at the top of what is new.
    document.querySelector('h1')?.focus({ preventScroll: true })
    window.scrollTo(0, this.#view === this.#library ? this.#libraryScrollY : 0)
  }

  #stateChanged(state: State, reason: ClosedReason | undefined): void {
    if (state !== 'closed' || reason === undefined) return this.#screen.redraw()
    if (reason.code === 'device-revoked') this.#leave(reason.message)
    else if (reason.code === undefined) this.#complain('What this browser kept is gone. Load this page again.')
    else this.#complain(REMEDIES[reason.code] ?? `${reason.message}. Load this page again once that has changed.`)
  }

  #complain(problem: string): void {
    this.#problem = problem
    this.#screen.redraw()
  }

  readonly #calm = (): void => this.#complain('')

  readonly #signOut = (): void => {
    this.#signedOut().catch((error: unknown) => this.#complain(said(error)))
  }

  /** A token that is forgotten here is to be good for nothing elsewhere. */
  async #signedOut(): Promise<void> {
    const unsent = await this.#unsent()
    if (unsent !== undefined && !confirm(`${unsent} have not been sent yet. Sign out without them?`)) return
    try {
      await revokeDevice({ url: location.origin, token: this.#token, device: this.#client.device })
    } catch (error) {
      if (!isShutOut(error) && !(error instanceof NoConnectionError && confirm(UNREACHED))) throw error
    }
    this.#leave('')
  }

  /** What would be lost, if anything. */
  async #unsent(): Promise<string | undefined> {
    const { unanswered } = this.#client
    if (unanswered > 0) return `${unanswered} changes`
    return (await this.#closedWindows.hasUnsent()) ? 'Changes made in a window that is closed' : undefined
  }
}

/** Nobody is let in with this token now. */
const isShutOut = (error: unknown): boolean => error instanceof HubError && SHUT_OUT.has(error.code)
