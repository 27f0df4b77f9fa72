import { html, nothing, type TemplateResult } from 'lit-html'
import { openPairing, revokeDevice, type Client, type Device, type PairingCode } from '../../../client/index.ts'
import { pairingLink } from './address.ts'
import { qrCode } from './qr-code.ts'
import type { View } from './screen.ts'

/** What a device is called. */
export const nameOf = (client: Client, device: string): string => client.devices.get(device)?.name ?? 'a device'

/** Whether this browser was let in to read only. */
export const mayOnlyRead = (client: Client): boolean => client.devices.get(client.device)?.readOnly === true

/** The account's devices, and a code for one more. */
export class DevicesView implements View {
  readonly title = 'Devices'
  readonly #client: Client
  readonly #token: string
  readonly #redraw: () => void
  readonly #complain: (error: unknown) => void
  readonly #stopListening: () => void
  #pairing: (PairingCode & { readonly untilMs: number; readonly cancelTimer: () => void }) | undefined

  constructor(client: Client, token: string, redraw: () => void, complain: (error: unknown) => void) {
    this.#client = client
    this.#token = token
    this.#redraw = redraw
    this.#complain = complain
    // Most likely the one that the code was for: each is good once.
    this.#stopListening = client.on('device', () => this.#endPairing())
  }

  draw(): TemplateResult {
    const there = [...this.#client.devices.values()].filter(({ revoked }) => !revoked)
    const isReader = mayOnlyRead(this.#client)
    return html`<h1 tabindex="-1">Devices</h1>
      <ul class="devices">
        ${there.map(device => this.#row(device, isReader))}
      </ul>
      ${isReader ? nothing : this.#pairing === undefined ? this.#question() : this.#answer(this.#pairing)}`
  }

  close(): void {
    this.#stopListening()
    this.#endPairing()
  }

  #row({ id, name, app, readOnly, disabled }: Device, isReader: boolean): TemplateResult {
    const isThis = id === this.#client.device
    const facts = [app, isThis && 'this browser', readOnly && 'may only read', disabled && 'disabled'].filter(Boolean)
    return html`<li>
      <span>${name}</span> <span class="hint">${facts.join(', ')}</span>
      ${isReader || isThis ? nothing : html`<button class="quiet" aria-label="Cut off ${name}" @click=${() => this.#cutOff(id, name)}>Cut off</button>`}
    </li>`
  }

  #question(): TemplateResult {
    return html`<h2>Add a device</h2>
      <form @submit=${this.#pair}>
        <label class="beside"><input type="checkbox" name="readOnly" /> It may read everything, and change nothing</label>
        <button>Show a pairing code</button>
      </form>`
  }

  #answer({ code, untilMs, urls }: PairingCode & { readonly untilMs: number }): TemplateResult {
    // What this page was opened by is good for others, unless it leads each machine to itself.
    const origin = leadsToItself(location.hostname) ? urls[0] : location.origin
    const until = new Date(untilMs).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    return html`<h2>Add a device</h2>
      <p>The code is <output class="code">${code}</output>, good once and until ${until}.</p>
      ${
        origin === undefined
          ? html`<p class="hint">
              Only this machine reaches the hub, which was started that way: for others, start it with LECTERN_HOST=0.0.0.0.
              Another browser here pairs at ${link(pairingLink(location.origin, code))}
            </p>`
          : html`<p>
                A phone with a browser pairs by its camera; an app asks for the code and the hub's address,
                <code>${origin}</code>.
              </p>
              ${qrCode(pairingLink(origin, code))}
              <p class="hint">${link(pairingLink(origin, code))}</p>`
      }`
  }

  readonly #pair = (event: SubmitEvent): void => {
    event.preventDefault()
    const readOnly = new FormData(event.target as HTMLFormElement).has('readOnly')
    openPairing({ url: location.origin, token: this.#token, readOnly })
      .then(opened => {
        this.#endPairing()
        const timer = setTimeout(() => this.#endPairing(), opened.goodForMs)
        this.#pairing = { ...opened, untilMs: Date.now() + opened.goodForMs, cancelTimer: () => clearTimeout(timer) }
        this.#redraw()
      })
      .catch(this.#complain)
  }

  #endPairing(): void {
    this.#pairing?.cancelTimer()
    this.#pairing = undefined
    this.#redraw()
  }

  #cutOff(device: string, name: string): void {
    if (!confirm(`Cut ${name} off for ever? What it wrote stays.`)) return
    revokeDevice({ url: location.origin, token: this.#token, device }).catch(this.#complain)
  }
}

/** Whether a host is this machine for each machine: loopback, and the address of none, which browsers open as such. */
const leadsToItself = (host: string): boolean => /^(127\.|0\.0\.0\.0$|\[::1?\]$|(.*\.)?localhost$)/.test(host)

const link = (href: string): TemplateResult => html`<a href=${href} target="_blank" rel="noopener">${href}</a>`
