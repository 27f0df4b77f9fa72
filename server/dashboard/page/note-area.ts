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
    .value=${sharedText(note)}
    @beforeinput=${drawDue}
    @input=${(event: InputEvent) => write((event.target as HTMLTextAreaElement).value)}
  ></textarea>`

class SharedText extends Directive {
  override render(text: string): string {
    return text
  }

  override update({ element }: PropertyPart, [text]: [string]): typeof noChange {
    const area = element as HTMLTextAreaElement
    const { value, selectionStart, selectionEnd, selectionDirection } = area
    // An area has one kind of line ends.
    if (value === text.replace(/\r\n?/g, '\n')) return noChange
    area.value = text
    // A selection is set in an area that is not written in, too; some browsers give it the focus then.
    if (document.activeElement === area)
      area.setSelectionRange(caretIn(text, value, selectionStart), caretIn(text, value, selectionEnd), selectionDirection)
    return noChange
  }
}

const sharedText = directive(SharedText)

/** Where a caret stands once `before` has become `text`: behind what it stood behind, unless that is gone. */
function caretIn(text: string, before: string, caret: number): number {
  let same = 0
  while (same < caret && text[same] === before[same]) same += 1
  return same === caret ? caret : Math.max(same, caret + text.length - before.length)
}
