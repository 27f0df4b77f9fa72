import * as Y from 'yjs'
import { ANNOTATION_DOCUMENT, type Plain, type WireChange } from '../../protocol/index.ts'
import { sorted, withoutFields, type Shown } from './clients/app.ts'

type Fields = Record<string, Plain>

const { root } = ANNOTATION_DOCUMENT

/** What follows from a log, in as few words as possible: what everyone's picture of the account is compared with. */
export interface Model extends Shown {
  /** `book annotation` of every annotation that was ever there. */
  readonly everAnnotated: ReadonlySet<string>
}

export function modelOf(log: readonly WireChange[]): Model {
  const books = new Map<string, { fields: Fields; identifiers: Fields; removed: boolean }>()
  const settings = new Map<string, Plain>()
  const devices = new Map<string, Fields>()
  const positions = new Map<string, Fields & { client: string; atMs: number }>()
  const docs = new Map<string, Y.Doc>()
  const everAnnotated = new Set<string>()
  const files = new FilesModel()
  for (const [cursor, , device, client, , atMs, kind, key, body] of log) {
    const fields = body as Fields
    const book = books.get(key) ?? { fields: {}, identifiers: {}, removed: false }
    files.take(cursor, kind, key, body)
    if (kind === 'setting.put') settings.set(key, fields['value']!)
    if (kind === 'device.put') devices.set(key, { disabled: false, ...fields, revoked: devices.get(key)?.['revoked'] ?? false })
    if (kind === 'device.revoke') devices.set(key, { ...devices.get(key), revoked: true })
    if (kind === 'book.put') {
      const { identifiers = {}, ...given } = fields
      books.set(key, {
        ...book,
        fields: merged(book.fields, given),
        identifiers: merged(book.identifiers, identifiers as Fields)
      })
    }
    if (kind === 'book.remove' || kind === 'book.restore') books.set(key, { ...book, removed: kind === 'book.remove' })
    if (kind === 'position.set') {
      const place = `${key} ${device}`
      const last = positions.get(place)
      if (last === undefined || last.client === client || atMs >= last.atMs)
        positions.set(place, { progression: null, chapter: null, ...fields, atMs, cursor, client })
    }
    if (kind === 'annotation.update') {
      const doc = docs.get(key) ?? new Y.Doc()
      docs.set(key, doc)
      Y.applyUpdate(doc, body as Uint8Array)
      for (const id of doc.getMap(root).keys()) everAnnotated.add(`${key} ${id}`)
    }
  }
  const annotations = [...docs].flatMap(([book, doc]) =>
    Object.entries(doc.getMap(root).toJSON()).map(([id, fields]): [string, Plain] => [`${book} ${id}`, fields as Plain])
  )
  return {
    books: sorted([...books].map(([id, { fields, ...rest }]) => [id, { ...fields, ...rest }])),
    settings: sorted([...settings].filter(([, value]) => value !== null)),
    devices: sorted([...devices]),
    positions: sorted([...positions].map(([place, position]) => [place, withoutFields(position, 'client')])),
    annotations: sorted(annotations),
    ...files.shown(),
    everAnnotated
  }
}

/** Files and conflicts. What a snapshot holds already is not taken again: it is older than what is known of the path. */
class FilesModel {
  readonly #files = new Map<string, { sha256: string; removed: boolean; movedAway: boolean; cursor: number }>()
  readonly #conflicts = new Map<string, Plain>()
  readonly #resolved = new Set<string>()

  take(cursor: number, kind: string, key: string, body: Plain): void {
    const fields = body as Fields & { sha256: string; to: string; client: Fields | null; path: string; file?: Fields }
    if (kind === 'file.put') this.#put(cursor, key, fields.sha256)
    if (kind === 'file.remove') this.#mark(cursor, key, true)
    if (kind === 'file.restore') this.#mark(cursor, key, false)
    if (kind === 'file.move') {
      this.#put(cursor, fields.to, fields.sha256)
      this.#mark(cursor, key, true, true)
    }
    if (kind === 'file.conflict' && !this.#resolved.has(String(cursor)))
      this.#conflicts.set(String(cursor), { path: key, client: fields.client?.['sha256'] ?? null })
    if (kind !== 'conflict.resolve') return
    this.#resolved.add(key)
    this.#conflicts.delete(key)
    if (fields['removed'] === true) this.#mark(cursor, fields.path, true)
    if (fields.file !== undefined) this.#put(cursor, fields.file['path'] as string, fields.file['sha256'] as string)
  }

  shown(): Pick<Shown, 'files' | 'conflicts'> {
    const there = [...this.#files].filter(([, { movedAway }]) => !movedAway)
    return {
      files: sorted(there.map(([path, { sha256, removed }]) => [path, { sha256, removed }])),
      conflicts: sorted([...this.#conflicts])
    }
  }

  #put(cursor: number, path: string, sha256: string): void {
    if ((this.#files.get(path)?.cursor ?? 0) <= cursor)
      this.#files.set(path, { sha256, removed: false, movedAway: false, cursor })
  }

  #mark(cursor: number, path: string, removed: boolean, movedAway = false): void {
    const known = this.#files.get(path)
    if (known !== undefined && known.cursor <= cursor)
      this.#files.set(path, { ...known, removed, movedAway: known.movedAway || movedAway, cursor })
  }
}

const merged = (known: Fields, given: Fields): Fields =>
  Object.fromEntries(Object.entries({ ...known, ...given }).filter(([, value]) => value !== null))
