import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import { randomId, type Book, type Client } from '../../../client/index.ts'
import { addressOf } from './address.ts'
import { mayOnlyRead } from './devices.ts'
import type { View } from './screen.ts'
import { percent } from './words.ts'

/** Books that are shown at once; a search shows others. */
const MAX_SHOWN = 200

const titles = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/** Without accents and case, so that “bronte” finds Brontë. */
const folded = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()

/** What a book is called, be it only by its id. */
export const titleOf = (book: Book | undefined, id: string): string => book?.title || id

/** The account's books, by title, and how far each was read. */
export class LibraryView implements View {
  readonly title = 'Library'
  readonly #client: Client
  readonly #redraw: () => void
  readonly #complain: (error: unknown) => void
  #sought = ''

  constructor(client: Client, redraw: () => void, complain: (error: unknown) => void) {
    this.#client = client
    this.#redraw = redraw
    this.#complain = complain
  }

  draw(): TemplateResult {
    const books = [...this.#client.books.values()]
    const words = folded(this.#sought).split(/\s+/)
    const there = books.filter(book => !book.removed && hasWords(book, words))
    const removed = books.filter(book => book.removed)
    const shown = there
      .sort((left, right) => titles.compare(titleOf(left, left.id), titleOf(right, right.id)))
      .slice(0, MAX_SHOWN)
    return html`<h1 tabindex="-1">Library</h1>
      <input
        type="search"
        placeholder="Search by title or author"
        aria-label="Search"
        .value=${this.#sought}
        @input=${this.#seek}
      />
      ${shown.length === 0 ? html`<p class="hint">${this.#sought.trim() === '' ? 'No books yet. Import one with npx lectern import BOOK.epub, sync an app, or add one here.' : 'No book has these words.'}</p>` : nothing}
      <ul class="books">
        ${repeat(
          shown,
          ({ id }) => id,
          book => this.#row(book)
        )}
      </ul>
      ${there.length > MAX_SHOWN ? html`<p class="hint">${there.length - MAX_SHOWN} more: search for them.</p>` : nothing}
      ${mayOnlyRead(this.#client) ? nothing : this.#additions(removed)}`
  }

  #row(book: Book): TemplateResult {
    const progression = this.#client.positions(book.id).furthest?.progression
    return html`<li>
      <a href=${addressOf(book.id)}>${titleOf(book, book.id)}</a>
      ${book.authors === undefined ? nothing : html`<span class="authors">${book.authors.join(', ')}</span>`}
      ${
        progression === undefined
          ? nothing
          : html`<span class="read"><progress aria-label="Read" value=${progression}></progress> ${percent(progression)}</span>`
      }
    </li>`
  }

  #additions(removed: readonly Book[]): TemplateResult {
    return html`<details>
        <summary>Add a book</summary>
        <form @submit=${this.#add}>
          <label>Title<input name="title" required maxlength="500" /></label>
          <label>Author<input name="author" maxlength="200" /></label>
          <button>Add</button>
        </form>
      </details>
      ${
        removed.length === 0
          ? nothing
          : html`<details>
              <summary>Removed (${removed.length})</summary>
              <ul>
                ${removed.slice(0, MAX_SHOWN).map(({ id, title }) => html`<li><bdi>${title || id}</bdi> <button class="quiet" @click=${() => this.#restore(id)}>Restore</button></li>`)}
              </ul>
            </details>`
      }`
  }

  readonly #seek = (event: InputEvent): void => {
    this.#sought = (event.target as HTMLInputElement).value
    this.#redraw()
  }

  readonly #add = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const fields = new FormData(form)
    const author = fields.get('author') as string
    const book = { title: fields.get('title') as string, ...(author !== '' && { authors: [author] }) }
    this.#client.putBook(randomId(), book).catch(this.#complain)
    form.reset()
  }

  #restore(id: string): void {
    this.#client.restoreBook(id).catch(this.#complain)
  }
}

const hasWords = ({ id, title = id, authors = [] }: Book, words: readonly string[]): boolean => {
  const text = folded(`${title} ${authors.join(' ')}`)
  return words.every(word => text.includes(word))
}
