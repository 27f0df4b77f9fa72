import { html, noChange, type TemplateResult } from 'lit-html'
import { Directive, directive, type PropertyPart } from 'lit-html/directive.js'

/** What `annotation.put` takes. */
const MAX_NOTE_LENGTH = 65_536

/**
 * A note that can be written in while others write in it: each key is told, and what others write leaves the caret, or what is selected, where it was in the text.
 * @param about what it is called for who hears the page
 * @param drawDue shows what has come, before a key changes what is shown: what it did not show would be taken for deleted
 */
export const noteArea = (
  { note, about, isReader }: { readonly note: string; readonly about: string; readonly isReader: boolean },
  write: (text: string) => void,
  drawDue: () => void
): TemplateResult =>
  html`<textarea
    aria-label=${about}
    placeholder=${isReader ? '' : 'Write a note'}
    rows="1"
    maxlength=${MAX_NOTE_LENGTH}
    ?readonly=${isReader}
    .value=${sharedText(note, write, drawDue)}
  ></textarea>`

/** Letters that are being composed into a word, as input methods do. A new value of the area would end that, and double them. */
interface Composition {
  /** What the area held when it was last told. */
  value: string
  /** How much stands behind the word in the area. */
  readonly behind: number
  /** Where the word ends in the note. */
  end: number
}

class SharedText extends Directive {
  #area: HTMLTextAreaElement | undefined
  #text = ''
  #write: (text: string) => void = () => undefined
  #composition: Composition | undefined

  override render(...[text]: [text: string, write: (text: string) => void, drawDue: () => void]): string {
    return text
  }

  override update({ element }: PropertyPart, [note, write, drawDue]: Parameters<this['render']>): typeof noChange {
    // An area has one kind of line ends.
    const text = note.replace(/\r\n?/g, '\n')
    const composition = this.#composition
    if (composition !== undefined) composition.end = caretIn(text, this.#text, composition.end)
    this.#text = text
    this.#write = write
    if (this.#area === undefined) this.#listen((this.#area = element as HTMLTextAreaElement), drawDue)
    if (composition === undefined) this.#show(this.#area)
    return noChange
  }

  #listen(area: HTMLTextAreaElement, drawDue: () => void): void {
    area.addEventListener('beforeinput', drawDue)
    area.addEventListener('input', () => this.#tell(area))
    area.addEventListener('compositionstart', () => {
      drawDue()
      const { value, selectionEnd } = area
      this.#composition = { value, behind: value.length - selectionEnd, end: selectionEnd }
    })
    area.addEventListener('compositionend', () => {
      this.#tell(area)
      this.#composition = undefined
      drawDue()
      this.#show(area)
    })
  }

  #tell({ value }: HTMLTextAreaElement): void {
    const composition = this.#composition
    if (composition === undefined) this.#text = value
    else {
      // What came from elsewhere is not in the area.
      const before = composition.value
      const [start, tail] = [sameStart(before, value), sameEnd(before, value)]
      const at = composition.end - (before.length - composition.behind - start)
      const inserted = value.slice(start, value.length - tail)
      this.#text = this.#text.slice(0, at) + inserted + this.#text.slice(at + before.length - tail - start)
      composition.value = value
      composition.end += value.length - before.length
    }
    this.#write(this.#text)
  }

  #show(area: HTMLTextAreaElement): void {
    const { value, selectionStart, selectionEnd, selectionDirection } = area
    const text = this.#text
    if (value === text) return
    area.value = text
    // A selection is set in an area that is not written in, too; some browsers give it the focus then.
    if (document.activeElement === area)
      area.setSelectionRange(caretIn(text, value, selectionStart), caretIn(text, value, selectionEnd), selectionDirection)
  }
}

const sharedText = directive(SharedText)

/** Where a caret stands once `before` has become `text`: behind what it stood behind, unless that is gone. */
function caretIn(text: string, before: string, caret: number): number {
  const same = Math.min(caret, sameStart(text, before))
  return same === caret ? caret : Math.max(same, caret + text.length - before.length)
}

/** How many characters two texts begin with alike. */
function sameStart(one: string, other: string): number {
  let same = 0
  while (same < Math.min(one.length, other.length) && one[same] === other[same]) same += 1
  return same
}

/** How many they end with alike, behind what they begin with. */
function sameEnd(one: string, other: string): number {
  const most = Math.min(one.length, other.length) - sameStart(one, other)
  let same = 0
  while (same < most && one.at(-1 - same) === other.at(-1 - same)) same += 1
  return same
}
