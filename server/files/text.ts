/** Text on one line: runs of white space and control characters become one space. */
export const oneLine = (text: string): string => text.replace(/[\s\u0000-\u001f\u007f]+/g, ' ').trim()

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }
const TAG = /<\/?[a-z][^<>]*>/gi
const BREAKING_TAG = /<(?:br|\/?(?:p|div|li|ul|ol|h[1-6]|tr|blockquote))\b[^<>]*>/gi

/** Plain text with its paragraphs, of what may be plain text already or HTML. For showing as text: what looks like a tag may remain. */
export function plainText(text: string): string {
  const isHtml = text.search(TAG) !== -1
  const plain = isHtml
    ? oneLine(text)
        .replace(BREAKING_TAG, '\n')
        .replace(TAG, '')
        .replace(/&(#x[0-9a-f]{1,6}|#[0-9]{1,7}|[a-z]{2,5});/gi, (whole, name: string) => character(name.toLowerCase()) ?? whole)
    : text
  return plain
    .split('\n')
    .map(oneLine)
    .filter(line => line !== '')
    .join('\n')
}

function character(name: string): string | undefined {
  if (!name.startsWith('#')) return Object.hasOwn(NAMED, name) ? NAMED[name] : undefined
  const code = name.startsWith('#x') ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10)
  return code >= 0x20 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : undefined
}

/** Hands out room for texts until it is used up, so that many of them, each within its limit, are within a limit together. */
export class TextBudget {
  #leftBytes: number

  constructor(bytes: number) {
    this.#leftBytes = bytes
  }

  /** As much of the text as fits, cut between characters; undefined when nothing does. */
  take(text: string, maxLength: number): string | undefined {
    let cut = cutAt(text, maxLength)
    // No UTF-16 code unit takes more than three bytes.
    if (Buffer.byteLength(cut) > this.#leftBytes) cut = cutAt(cut, Math.floor(this.#leftBytes / 3))
    this.#leftBytes -= Buffer.byteLength(cut)
    return cut === '' ? undefined : cut
  }
}

function cutAt(text: string, maxLength: number): string {
  return text.length <= maxLength
    ? text
    : text
        .slice(0, maxLength)
        .replace(/[\ud800-\udbff]$/, '')
        .trimEnd()
}
