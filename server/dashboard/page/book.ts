import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Annotation, Annotations, Book, Client } from '../../../client/index.ts'
import { mayOnlyRead, nameOf } from './devices.ts'
import { titleOf } from './library.ts'
import { noteArea } from './note-area.ts'
import type { Screen, View } from './screen.ts'
import { ago, percent } from './words.ts'

/** Annotations that are shown at once, the newest; and by how many that grows. */
const SHOWN_AT_ONCE = 300
/** Characters of a passage by which its note is named for who hears the page. */
const MAX_NAMED = 80
/** Those that style.css has. */
const COLORS = ['yellow', 'green', 'blue', 'red']

/** What of an annotation is shown. An editor that speaks Yjs may have put anything into its fields. */
interface Shown {
  readonly id: string
  readonly quote: string
  readonly note: string
  readonly color: string
  readonly chapter: string
  readonly createdAtMs: number
  readonly isRemoved: boolean
}

/** A book: who is where in it, and its annotations, live. */
export class BookView implements View {
  readonly #client: Client
  readonly #book: string
  readonly #screen: Screen
  readonly #complain: (error: unknown) => void
  #notes: Annotations | undefined
  #isClosed = false
  #maxShown = SHOWN_AT_ONCE

  constructor(client: Client, book: string, screen: Screen, complain: (error: unknown) => void) {
    this.#client = client
    this.#book = book
    this.#screen = screen
    this.#complain = complain
    client.annotations(book).then(notes => this.#opened(notes), complain)
  }

  get title(): string {
    return titleOf(this.#client.books.get(this.#book), this.#book)
  }

  draw(): TemplateResult {
    const book = this.#client.books.get(this.#book)
    const isReader = mayOnlyRead(this.#client)
    return html`<h1 tabindex="-1">${this.title}</h1>
      <p class="authors">${book?.authors?.join(', ')}</p>
      ${this.#standing(book, isReader)} ${this.#places()}
      ${this.#notes === undefined ? nothing : this.#annotations(this.#notes, isReader)}
      ${isReader || book === undefined || book.removed ? nothing : html`<button class="quiet" @click=${this.#removeBook}>Remove this book</button>`}`
  }

  close(): void {
    this.#isClosed = true
    this.#notes?.close()
    if (this.#notes !== undefined) this.#client.sayPresence(this.#book, undefined)
  }

  #opened(notes: Annotations): void {
    if (this.#isClosed) return notes.close()
    this.#notes = notes
    notes.on('change', this.#screen.redraw)
    notes.on('replaced', this.#screen.redraw)
    this.#client.sayPresence(this.#book, {})
    this.#screen.redraw()
  }

  /** What keeps a book from being in the library, if anything does. */
  #standing(book: Book | undefined, isReader: boolean): TemplateResult | typeof nothing {
    if (book?.removed)
      return html`<p>
        This book was removed.
        ${isReader ? nothing : html`<button class="quiet" @click=${this.#restoreBook}>Restore this book</button>`}
      </p>`
    if (book !== undefined || this.#client.state !== 'live') return nothing
    return html`<p>The library has no book of this name.</p>`
  }

  #annotations(notes: Annotations, isReader: boolean): TemplateResult {
    const all = notes
      .list({ removed: true })
      .map(shown)
      .sort((left, right) => right.createdAtMs - left.createdAtMs)
    const removed = all.filter(({ isRemoved }) => isRemoved)
    const there = all.filter(({ isRemoved }) => !isRemoved)
    return html`${isReader ? nothing : this.#addition()}
      <h2>Highlights and notes (${there.length})</h2>
      <ul class="annotations">
        ${repeat(
          there.slice(0, this.#maxShown),
          ({ id }) => id,
          annotation => this.#card(annotation, isReader)
        )}
      </ul>
      ${
        there.length > this.#maxShown
          ? html`<p class="hint">
              The newest ${this.#maxShown} are shown. <button class="quiet" @click=${this.#showMore}>Show more</button>
            </p>`
          : nothing
      }
      ${removed.length === 0 || isReader ? nothing : this.#removed(removed)}`
  }

  #places(): TemplateResult {
    const places = [...this.#client.positions(this.#book).byDevice.values()].sort((left, right) => right.atMs - left.atMs)
    const others = [...this.#client.presence(this.#book).values()].filter(({ isSelf }) => !isSelf)
    return html`<ul class="places">
        ${places.map(({ device, progression, atMs }) => html`<li><bdi>${nameOf(this.#client, device)}</bdi>: ${progression === undefined ? 'somewhere' : percent(progression)}, ${ago(atMs)}</li>`)}
      </ul>
      ${others.length === 0 ? nothing : html`<p class="here">Here now: ${others.map(({ device }) => nameOf(this.#client, device)).join(', ')}</p>`}`
  }

  #addition(): TemplateResult {
    return html`<form class="addition" @submit=${this.#add}>
      <label>Passage<textarea name="quote" rows="2" maxlength="20000"></textarea></label>
      <label>Note<textarea name="note" rows="1" maxlength="20000"></textarea></label>
      <label
        >Colour<select name="color">
          ${COLORS.map(color => html`<option>${color}</option>`)}
        </select></label
      >
      <button>Add</button>
    </form>`
  }

  #card({ id, quote, note, color, chapter, createdAtMs }: Shown, isReader: boolean): TemplateResult {
    const write = (text: string): boolean => this.#attempt(notes => notes.put({ id, note: text }))
    const about = quote === '' ? 'Note' : `Note on ${quote.slice(0, MAX_NAMED)}`
    return html`<li class=${COLORS.includes(color) ? color : 'plain'}>
      ${quote === '' ? nothing : html`<blockquote>${quote}</blockquote>`}
      ${noteArea({ note, about, isReader }, write, this.#screen.drawDue)}
      <footer>
        <span>${chapter} ${createdAtMs === 0 ? nothing : ago(createdAtMs)}</span>
        ${isReader ? nothing : html`<button class="quiet" @click=${() => this.#attempt(notes => notes.remove(id))}>Remove</button>`}
      </footer>
    </li>`
  }

  #removed(removed: readonly Shown[]): TemplateResult {
    const row = ({ id, quote, note, chapter }: Shown): TemplateResult =>
      html`<li>
        <bdi>${quote || note || chapter || id}</bdi>
        <button class="quiet" @click=${() => this.#attempt(notes => notes.restore(id))}>Restore</button>
      </li>`
    return html`<details>
      <summary>Removed (${removed.length})</summary>
      <ul>
        ${removed.slice(0, this.#maxShown).map(row)}
      </ul>
    </details>`
  }

  readonly #add = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const fields = new FormData(form)
    const [quote, note] = ['quote', 'note'].map(name => (fields.get(name) as string).trim())
    if (quote === '' && note === '') return
    const color = fields.get('color') as string
    const given = { ...(quote && { quote }), ...(note && { note }) }
    const isAdded = this.#attempt(notes => notes.put({ kind: quote === '' ? 'note' : 'highlight', color, ...given }))
    if (isAdded) form.reset()
  }

  readonly #showMore = (): void => {
    this.#maxShown += SHOWN_AT_ONCE
    this.#screen.redraw()
  }

  readonly #restoreBook = (): void => void this.#client.restoreBook(this.#book).catch(this.#complain)

  readonly #removeBook = (): void => {
    this.#client.removeBook(this.#book).catch(this.#complain)
    location.hash = ''
  }

  /** False when it could not be made, which is told. */
  #attempt(change: (notes: Annotations) => void): boolean {
    try {
      if (this.#notes !== undefined) change(this.#notes)
      return this.#notes !== undefined
    } catch (error) {
      this.#complain(error)
      return false
    }
  }
}

const shown = ({ id, quote, note, color, chapter, createdAtMs, removedAtMs }: Annotation): Shown => ({
  id,
  quote: textOf(quote),
  note: textOf(note),
  color: textOf(color),
  chapter: textOf(chapter),
  createdAtMs: typeof createdAtMs === 'number' ? createdAtMs : 0,
  isRemoved: removedAtMs !== undefined
})

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
