import { LIMITS } from './limits.ts'
import {
  any,
  bool,
  bytes,
  dict,
  either,
  filePath,
  key,
  list,
  map,
  nullable,
  number,
  oneOf,
  opt,
  positive,
  sha256,
  str,
  uint,
  type Infer,
  type Shape
} from './shapes.ts'

/** A book's id: chosen by whoever puts the book, the same for all devices of the account. */
const bookId = key(128)

/** A field that can be set, cleared with nil, or left as it is. */
const field = <T>(shape: Shape<T>) => opt(nullable(shape))

/** How a position or a selection is written down: the format's name (`cfi`, `xpointer`, `href` …) and the text, kept verbatim. */
const locators = dict(nullable(str(4_096)), 16)

/** What an app keeps beyond what the hub knows of. */
const extra = dict(any, 64)

/** The plain form of an annotation, in the book's document and in views. */
const annotationFields = {
  kind: field(oneOf('highlight', 'note', 'bookmark')),
  color: field(str(64)),
  style: field(str(64)),
  quote: field(str(16_384)),
  note: field(str(65_536)),
  chapter: field(str(1_024)),
  locators: field(locators),
  extra: field(extra),
  /** When it was made, of one that comes from elsewhere; left out, a new one is made when the action says. */
  createdAtMs: opt(uint)
} as const

/** A book's own fields. Each is merged by itself, so that a change of one never undoes another. */
const bookFields = {
  title: field(str(1_024)),
  subtitle: field(str(1_024)),
  authors: field(list(str(512), 64)),
  language: field(str(64)),
  publisher: field(str(512)),
  published: field(str(64)),
  description: field(str(32_768)),
  series: field(str(512)),
  seriesIndex: field(number(0, 1_000_000)),
  subjects: field(list(str(512), 128)),
  shelves: field(list(str(256), 128)),
  tags: field(list(str(256), 128)),
  rating: field(number(0, 5)),
  status: field(
    map({
      state: oneOf('unread', 'reading', 'paused', 'finished', 'abandoned'),
      startedAtMs: field(uint),
      pausedAtMs: field(uint),
      finishedAtMs: field(uint)
    })
  ),
  /** SHA-256 of the cover's bytes. */
  cover: field(sha256),
  /** SHA-256 of the book file's bytes. */
  file: field(map({ sha256: sha256, sizeBytes: uint, mediaType: str(128), name: str(512) })),
  /** `type:value` → who says so. Put adds; nil takes one away; the others stay. */
  identifiers: opt(dict(nullable(str(64)), 64)),
  extra: field(extra)
} as const

const positionFields = {
  progression: field(number(0, 1)),
  locators: field(locators),
  chapter: field(str(1_024)),
  extra: field(extra)
} as const

/** What a file is made of. */
const fileContent = { sha256, sizeBytes: uint, mtimeMs: opt(uint) } as const

/** The content that whoever asks saw at the path: what it means to change. */
const base = sha256

/** Whose side of a conflict a path keeps; a SHA-256 names a content that is neither. */
const conflictChoice = either(oneOf('server', 'client', 'both'), sha256)

const annotationId = map({ id: key(128) })

/** In whose name a household's device acts: in its own, in a parent's, in a child's; or the hub for it. */
const householdActor = oneOf('appLogic', 'parent', 'child', 'hub')

interface Row<T> {
  /** What `key` names. */
  readonly key: Shape<string>
  readonly keyName: string
  readonly body: Shape<T>
  readonly text: string
}

const row = <T>(keyName: string, keyShape: Shape<string>, body: Shape<T>, text: string): Row<T> => ({
  key: keyShape,
  keyName,
  body,
  text
})

/** Everything that a client may ask for. */
export const ACTIONS = {
  'annotation.update': row(
    'book',
    bookId,
    bytes(LIMITS.maxUpdateBytes),
    "Applies a Yjs v1 update to the book's annotation document."
  ),
  'annotation.put': row(
    'book',
    bookId,
    map({ id: key(128), ...annotationFields }),
    'Makes an annotation, or changes the fields that are given.'
  ),
  'annotation.remove': row('book', bookId, annotationId, 'Marks an annotation as removed. Its content stays.'),
  'annotation.restore': row(
    'book',
    bookId,
    map({ id: key(128), cursor: opt(positive) }),
    'Takes the mark away. With `cursor`, makes the annotation what it was before that change, too.'
  ),
  'position.set': row('book', bookId, map(positionFields), "Sets this device's place in the book."),
  'position.restore': row(
    'book',
    bookId,
    map({ cursor: positive }),
    "Sets this device's place to one that it or another device had: the one that was set at `cursor`."
  ),
  'book.put': row('book', bookId, map(bookFields), 'Makes a book, or changes the fields that are given.'),
  'book.remove': row('book', bookId, map({}), 'Marks a book as removed. Its annotations and positions stay.'),
  'book.restore': row('book', bookId, map({}), 'Takes the mark away.'),
  'file.put': row(
    'path',
    filePath,
    map({ ...fileContent, base: opt(base) }),
    'Puts a content, which the hub MUST hold, at a path. Without `base` nothing is meant to be there. What another device put there meanwhile stays, and the two are a conflict.'
  ),
  'file.remove': row(
    'path',
    filePath,
    map({ base }),
    'Marks a file as removed; its content stays. If another content is there by now, it stays, and the removal is a conflict.'
  ),
  'file.move': row(
    'path',
    filePath,
    map({ to: filePath, base }),
    'Gives a file another path. Refused when either place is not as the asker saw it.'
  ),
  'file.restore': row('path', filePath, map({}), 'Takes the mark of removal away.'),
  'conflict.resolve': row(
    'conflict',
    key(32),
    map({ keep: conflictChoice, base: opt(nullable(base)), path: opt(filePath) }),
    "Ends a conflict: the path keeps the server's side, gets the client's or any other content that the hub holds, or, with `both`, the client's side gets a path of its own. With `base` only if that is what is there; nil for nothing."
  ),
  'setting.put': row('name', key(128), map({ value: any }), 'Sets a setting of the account; nil clears it.'),
  'household.act': row(
    'actor',
    householdActor,
    map({
      sequenceNumber: number(-1, Number.MAX_SAFE_INTEGER),
      userId: str(64),
      integrity: str(1_024),
      encodedAction: str(LIMITS.maxHouseholdActionLength)
    }),
    'Does what a device of a household asked for by its own API. Only the hub can ask for it, and no client.'
  )
} as const

export type ActionKind = keyof typeof ACTIONS

export const isActionKind = (value: string): value is ActionKind => Object.hasOwn(ACTIONS, value)

/** The body of an action of kind `K`. */
export type ActionBody<K extends ActionKind> = Infer<(typeof ACTIONS)[K]['body']>

const deviceId = key(64)

/** Everything that stands in an account's log. What a client asked for, after its merge, and what only the hub writes. */
export const CHANGES = {
  'annotation.update': row(
    'book',
    bookId,
    bytes(LIMITS.maxUpdateBytes + 65_536),
    "A Yjs v1 update of the book's annotation document."
  ),
  'position.set': ACTIONS['position.set'],
  'book.put': ACTIONS['book.put'],
  'book.remove': ACTIONS['book.remove'],
  'book.restore': ACTIONS['book.restore'],
  'file.put': ACTIONS['file.put'],
  'file.remove': ACTIONS['file.remove'],
  'file.move': row(
    'path',
    filePath,
    map({ to: filePath, ...fileContent }),
    'A file has another path. With what it is made of, for who never heard of it under the old one.'
  ),
  'file.restore': ACTIONS['file.restore'],
  'file.conflict': row(
    'path',
    filePath,
    map({ client: nullable(map(fileContent)), base: opt(base) }),
    "A device's side of a conflict: the content that it put, or nil for a removal. The path keeps what it has. The cursor is the conflict's id."
  ),
  'conflict.resolve': row(
    'conflict',
    key(32),
    map({ keep: conflictChoice, path: filePath, file: opt(map({ path: filePath, ...fileContent })), removed: opt(bool) }),
    'A conflict at `path` has ended. With `file`, that content stands at its path now; with `removed`, nothing does at `path`.'
  ),
  'content.put': row(
    'content',
    sha256,
    map({ sizeBytes: uint }),
    'The hub holds these bytes for the account. Written by the hub.'
  ),
  'setting.put': ACTIONS['setting.put'],
  'device.put': row(
    'device',
    deviceId,
    map({ name: str(256), app: str(256), readOnly: bool, disabled: opt(bool) }),
    'A device was registered, or its description changed. While it is `disabled` it is not let in. Written by the hub.'
  ),
  'device.revoke': row('device', deviceId, map({}), 'A device was cut off for ever. Written by the hub.'),
  'household.act': row(
    'type',
    key(64),
    map({ actor: householdActor, userId: str(64), selfLimit: opt(bool), action: dict(any, 64) }),
    'What was done in a household, by the type of its own API. Secrets, and what is encrypted for its devices alone, are left out. Written by the hub.'
  )
} as const

export type ChangeKind = keyof typeof CHANGES
export type ChangeBody<K extends ChangeKind> = Infer<(typeof CHANGES)[K]['body']>

/**
 * What can be read without folding the log, in pages. A list view's value is `[[id, map], …]` in the order of ids;
 * `document` is a Yjs v1 update in parts, to be joined in the order of reading.
 */
export const VIEWS = {
  books: 'every book; `key` is empty',
  book: 'one book; `key` is its id',
  annotations: "a book's annotations as plain maps, removed ones included; `key` is the book's id",
  'annotation-history': "how an annotation was before, thinned out with time; `key` is the book's id, `item` the annotation's",
  document: "a book's annotation document; `key` is the book's id",
  positions: "a book's positions, by device; `key` is the book's id",
  'position-history': "the places that devices had in a book, thinned out with time; `key` is the book's id",
  files: 'every file, by path, removed ones included; `key` is empty',
  'file-history': 'the contents that a path had, the newest last; `key` is the path',
  folders: 'every folder that files are or were in, by path; `key` is empty',
  conflicts: 'the conflicts of files that nobody has resolved, by id; `key` is empty',
  settings: 'every setting, by name; `key` is empty',
  devices: 'every device; `key` is empty'
} as const

export type ViewName = keyof typeof VIEWS

/** Names in a book's annotation document: the root map of annotations, and the fields in which one differs from a plain map. */
export const ANNOTATION_DOCUMENT = {
  /** Y.Map: annotation id → Y.Map of its fields. */
  root: 'annotations',
  /** The one field that is a Y.Text; all others are plain values. */
  textField: 'note',
  /** Set while the annotation is removed. */
  removedField: 'removedAtMs'
} as const
