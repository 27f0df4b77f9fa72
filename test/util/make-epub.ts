import { deflateRawSync } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  readonly data: string | Uint8Array
  /** Kept as it is, not deflated. */
  readonly stored?: boolean
  /** A lie about how long the data is. */
  readonly claimedBytes?: number
}

/** A zip file of these entries, in this order; the same entries make the same bytes. */
export function makeZip(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, stored = false, claimedBytes } of entries) {
    const bytes = Buffer.from(data)
    const packed = stored ? bytes : deflateRawSync(bytes)
    const nameBytes = Buffer.from(name)
    // From "version needed" to "extra length": the 26 bytes that both kinds of header share.
    const shared = Buffer.alloc(26)
    shared.writeUInt16LE(20, 0)
    shared.writeUInt16LE(0x800, 2)
    shared.writeUInt16LE(stored ? 0 : 8, 4)
    shared.writeUInt16LE(0x21, 8)
    shared.writeUInt32LE(crc32(bytes), 10)
    shared.writeUInt32LE(packed.length, 14)
    shared.writeUInt32LE(claimedBytes ?? bytes.length, 18)
    shared.writeUInt16LE(nameBytes.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, nameBytes, packed])
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), shared, place, nameBytes)
    parts.push(local)
    offset += local.length
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, ...directory, end])
}

export interface Chapter {
  /** The file's name, such as `one.xhtml`. */
  readonly name: string
  /** What stands in its body, as XHTML. */
  readonly html: string
  readonly title?: string
}

export interface EpubContent {
  /** @default 3 */
  readonly version?: 2 | 3
  readonly title?: string
  readonly subtitle?: string
  readonly authors?: readonly string[]
  readonly language?: string
  readonly publisher?: string
  readonly published?: string
  readonly description?: string
  readonly subjects?: readonly string[]
  readonly series?: string
  readonly seriesIndex?: number
  /** The first names the publication. */
  readonly identifiers?: readonly string[]
  readonly cover?: { readonly bytes: Uint8Array; readonly mediaType: string }
  readonly chapters?: readonly Chapter[]
}

/** A whole EPUB 2 or 3 that reading systems open: metadata, cover, contents and chapters. The same content makes the same bytes. */
export function makeEpub(content: EpubContent): Buffer {
  const chapters = content.chapters ?? [{ name: 'chapter-1.xhtml', html: '<p>It begins.</p>' }]
  const contents =
    content.version === 2
      ? { name: 'OEBPS/toc.ncx', data: ncxOf(content, chapters) }
      : {
          name: 'OEBPS/nav.xhtml',
          data: page('Contents', `<nav epub:type="toc"><ol>${chapters.map(linkTo).join('')}</ol></nav>`)
        }
  return makeEpubOf(packageOf({ ...content, chapters }), [
    contents,
    ...(content.cover === undefined ? [] : [{ name: 'OEBPS/images/cover', data: content.cover.bytes, stored: true }]),
    ...chapters.map(chapter => ({ name: `OEBPS/${chapter.name}`, data: page(chapter.title ?? chapter.name, chapter.html) }))
  ])
}

/** An EPUB around a given package document, however wrong that is. */
export function makeEpubOf(
  packageDocument: string | Uint8Array,
  files: readonly ZipEntry[] = [],
  container = containerOf('OEBPS/book.opf')
): Buffer {
  return makeZip([
    { name: 'mimetype', data: 'application/epub+zip', stored: true },
    { name: 'META-INF/container.xml', data: container },
    { name: 'OEBPS/book.opf', data: packageDocument },
    ...files
  ])
}

/** A `container.xml` that points to a package document. */
export function containerOf(packagePath: string): string {
  return `<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="${escape(packagePath)}" media-type="application/oebps-package+xml"/></rootfiles>
</container>`
}

/** A package document around given metadata and manifest items. */
export function packageAround(metadata: string, items = '', version = '3.0'): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="${version}" unique-identifier="id0">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">${metadata}</metadata>
  <manifest>${items}</manifest>
</package>`
}

function packageOf(content: EpubContent & { readonly chapters: readonly Chapter[] }): string {
  const isOld = content.version === 2
  const dc = (name: string, text: string | undefined, attributes = ''): string =>
    text === undefined ? '' : `<dc:${name}${attributes}>${escape(text)}</dc:${name}>`
  const refine = (id: string, property: string, text: string): string =>
    `<meta refines="#${id}" property="${property}">${escape(text)}</meta>`
  const named = (name: string, value: string): string => `<meta name="${name}" content="${escape(value)}"/>`
  const series = (name: string): string => {
    const index = content.seriesIndex === undefined ? undefined : String(content.seriesIndex)
    if (isOld) return named('calibre:series', name) + (index === undefined ? '' : named('calibre:series_index', index))
    return `<meta property="belongs-to-collection" id="series">${escape(name)}</meta>${refine('series', 'collection-type', 'series')}${
      index === undefined ? '' : refine('series', 'group-position', index)
    }`
  }
  const metadata = [
    ...(content.identifiers ?? ['urn:uuid:00000000-0000-4000-8000-000000000000']).map((text, index) =>
      dc('identifier', text, ` id="id${index}"`)
    ),
    dc('title', content.title, ' id="title"'),
    content.title === undefined || isOld ? '' : refine('title', 'title-type', 'main'),
    content.subtitle === undefined || isOld
      ? ''
      : dc('title', content.subtitle, ' id="subtitle"') + refine('subtitle', 'title-type', 'subtitle'),
    ...(content.authors ?? []).map((name, index) =>
      isOld
        ? dc('creator', name, ' opf:role="aut"')
        : dc('creator', name, ` id="by${index}"`) + refine(`by${index}`, 'role', 'aut')
    ),
    dc('language', content.language ?? 'en'),
    dc('publisher', content.publisher),
    dc('date', content.published, isOld ? ' opf:event="publication"' : ''),
    dc('description', content.description),
    ...(content.subjects ?? []).map(subject => dc('subject', subject)),
    content.series === undefined ? '' : series(content.series),
    isOld ? '' : '<meta property="dcterms:modified">2020-01-01T00:00:00Z</meta>',
    content.cover === undefined || !isOld ? '' : named('cover', 'cover')
  ]
  const coverItem =
    content.cover === undefined
      ? ''
      : `<item id="cover" href="images/cover" media-type="${content.cover.mediaType}"${isOld ? '' : ' properties="cover-image"'}/>`
  const contentsItem = isOld
    ? '<item id="contents" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    : '<item id="contents" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
  const items = content.chapters.map(
    (chapter, index) => `<item id="c${index}" href="${escape(chapter.name)}" media-type="application/xhtml+xml"/>`
  )
  const spine = `<spine${isOld ? ' toc="contents"' : ''}>${content.chapters.map((_, index) => `<itemref idref="c${index}"/>`).join('')}</spine>`
  const around = packageAround(metadata.join('\n    '), [contentsItem, coverItem, ...items].join('\n    '), isOld ? '2.0' : '3.0')
  return around.replace('</package>', `  ${spine}\n</package>`)
}

function ncxOf(content: EpubContent, chapters: readonly Chapter[]): string {
  const points = chapters.map(
    (chapter, index) =>
      `<navPoint id="n${index}" playOrder="${index + 1}"><navLabel><text>${escape(chapter.title ?? chapter.name)}</text></navLabel><content src="${escape(chapter.name)}"/></navPoint>`
  )
  return `<?xml version="1.0"?>
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><head/><docTitle><text>${escape(content.title ?? '')}</text></docTitle><navMap>${points.join('')}</navMap></ncx>`
}

function page(title: string, body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>${escape(title)}</title></head><body>${body}</body></html>`
}

function linkTo(chapter: Chapter): string {
  return `<li><a href="${escape(chapter.name)}">${escape(chapter.title ?? chapter.name)}</a></li>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  return crc
})

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 255]!
  return ~crc >>> 0
}
