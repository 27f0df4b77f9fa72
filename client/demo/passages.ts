import { openPromise } from 'yauzl'

export interface Passage {
  readonly text: string
  /** Where it stands: the file in the EPUB, and the paragraph in it. */
  readonly href: string
}

const MIN_LENGTH = 60
const MAX_LENGTH = 280
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** Sentences of a book, from all over it: the first of every paragraph that is long enough. */
export async function readPassages(epub: string, wanted: number): Promise<Passage[]> {
  const zip = await openPromise(epub, { autoClose: false })
  const found: Passage[] = []
  try {
    for await (const entry of zip.eachEntry()) {
      if (!/\.x?html?$/i.test(entry.fileName)) continue
      const chunks: Buffer[] = []
      for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) chunks.push(chunk)
      found.push(...passagesOf(Buffer.concat(chunks).toString(), entry.fileName))
    }
  } finally {
    zip.close()
  }
  if (found.length < wanted) throw new Error(`${epub} has only ${found.length} passages of ${wanted}`)
  return Array.from({ length: wanted }, (_, index) => found[Math.floor((index * found.length) / wanted)]!)
}

function passagesOf(html: string, file: string): Passage[] {
  const passages: Passage[] = []
  // Poetry stands in lines of their own, prose in paragraphs.
  for (const [index, match] of [...html.matchAll(/<(p|li|tr|blockquote)\b[^>]*>([\s\S]*?)<\/\1>/g)].entries()) {
    const text = match[2]!
      .replace(/<[^>]*>/g, ' ')
      .replace(/&(\w+);/g, (all, name: string) => ENTITIES[name] ?? all)
      .replace(/\s+/g, ' ')
      .trim()
    if (text.length >= MIN_LENGTH) passages.push({ text: text.slice(0, MAX_LENGTH), href: `${file}#paragraph-${index + 1}` })
  }
  return passages
}
