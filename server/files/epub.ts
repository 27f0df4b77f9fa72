import { readPackageDocument, type BookFields } from './package-document.ts'
import { readXmlInTurns, type XmlElement } from './xml.ts'
import { badFile, shown, ZipArchive } from './zip.ts'

const CONTAINER = 'urn:oasis:names:tc:opendocument:xmlns:container'
const CONTAINER_PATH = 'META-INF/container.xml'
const PACKAGE_TYPE = 'application/oebps-package+xml'

const MAX_CONTAINER_BYTES = 65_536
const MAX_PACKAGE_BYTES = 2_097_152
const MAX_COVER_BYTES = 16_777_216

export interface EpubCover {
  readonly bytes: Uint8Array
  /** By the bytes themselves, whatever the file says. */
  readonly mediaType: CoverType
}

export type CoverType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp'

export interface EpubMetadata {
  /** Ready to be put: within the limits of a `book.put`, and of an action's body with room to spare. */
  readonly fields: BookFields
  /** Undefined when there is none, or it is no JPEG, PNG, GIF or WebP, or larger than 16 MiB. */
  readonly cover: EpubCover | undefined
}

/**
 * Reads what an EPUB says about its book, and its cover. The file may be anyone's: nothing is unpacked to disk, and no more than
 * 32 MiB are inflated.
 *
 * @param source a path, or the file's bytes
 * @throws HubError `bad-request` saying what is wrong with the file; file system errors as they are
 */
export async function readEpub(source: string | Buffer): Promise<EpubMetadata> {
  const zip = await ZipArchive.open(source)
  try {
    const container = await zip.read(CONTAINER_PATH, MAX_CONTAINER_BYTES)
    if (container === undefined) throw badFile(`not an EPUB: there is no ${CONTAINER_PATH}`)
    const packagePath = findPackage(await readXmlInTurns(container, CONTAINER_PATH))
    const packageBytes = await zip.read(packagePath, MAX_PACKAGE_BYTES)
    if (packageBytes === undefined) throw badFile(`the package document ${shown(packagePath)} is not in the file`)
    const { fields, coverHref } = readPackageDocument(await readXmlInTurns(packageBytes, 'the package document'))
    const coverPath = coverHref === undefined ? undefined : resolveHref(packagePath, coverHref)
    return { fields, cover: coverPath === undefined ? undefined : await readCover(zip, coverPath) }
  } finally {
    zip.close()
  }
}

/** A book without its cover is still a book, so a cover that cannot be used is left out; only damage is an error. */
async function readCover(zip: ZipArchive, path: string): Promise<EpubCover | undefined> {
  const sizeBytes = zip.sizeOf(path)
  if (sizeBytes === undefined || sizeBytes > MAX_COVER_BYTES) return undefined
  const bytes = await zip.read(path, MAX_COVER_BYTES)
  const mediaType = bytes === undefined ? undefined : imageType(bytes)
  return bytes === undefined || mediaType === undefined ? undefined : { bytes, mediaType }
}

function findPackage(root: XmlElement): string {
  const rootfiles = root.children
    .filter(child => child.uri === CONTAINER && child.local === 'rootfiles')
    .flatMap(child => child.children)
    .filter(child => child.uri === CONTAINER && child.local === 'rootfile')
  const rootfile = rootfiles.find(element => element.attributes.get('media-type') === PACKAGE_TYPE) ?? rootfiles[0]
  const path = rootfile?.attributes.get('full-path')
  if (path === undefined || path === '') throw badFile(`${CONTAINER_PATH} names no package document`)
  return path
}

/**
 * The name in the zip file that a URL in one of its documents stands for; undefined when it leads out of the file.
 *
 * @param from the document's own name
 */
export function resolveHref(from: string, href: string): string | undefined {
  if (/^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(href)) return undefined
  const path: string[] = from.split('/').slice(0, -1)
  for (const part of decodePercent(href.replace(/[?#].*$/s, '')).split('/')) {
    if (part === '..' && path.pop() === undefined) return undefined
    if (part !== '..' && part !== '.' && part !== '') path.push(part)
  }
  return path.join('/')
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What kind of image it is, by its first twelve bytes; undefined for any other than these. */
export function imageType(bytes: Buffer): CoverType | undefined {
  const head = bytes.toString('latin1', 0, 12)
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (/^GIF8[79]a/.test(head)) return 'image/gif'
  return /^RIFF[^]{4}WEBP/.test(head) ? 'image/webp' : undefined
}
