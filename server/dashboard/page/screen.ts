import { render, type TemplateResult } from 'lit-html'

/** Something that fills the window, or a part of it, and is drawn anew whenever it may look different. */
export interface View {
  /** What the window is called. */
  readonly title: string
  draw(): TemplateResult
  /** Lets go of what it listens to. */
  close?(): void
}

/** The window. Whatever happens in one turn of the event loop is drawn once. */
export class Screen {
  #view: View | undefined
  #isDue = false

  /** Shows a view in the place of the one before. */
  show(view: View): void {
    this.#view?.close?.()
    this.#view = view
    this.redraw()
  }

  readonly redraw = (): void => {
    if (this.#isDue) return
    this.#isDue = true
    // Not with the next frame: a window that is not looked at has none.
    setTimeout(this.drawDue)
  }

  /** Draws what waits to be drawn, before somebody acts on what is shown. */
  readonly drawDue = (): void => {
    if (!this.#isDue) return
    this.#isDue = false
    if (this.#view === undefined) return
    render(this.#view.draw(), document.body)
    document.title = this.#view.title
  }
}
