import {
  ACTIONS,
  any,
  bool,
  checked,
  dict,
  HubError,
  key,
  list,
  map,
  number,
  oneOf,
  opt,
  str,
  uint,
  type Plain,
  type Shape
} from '../protocol/index.ts'
import type { Annotation, BookDescription } from './annotations/annotation.ts'
import { jsonOf, plainOf } from './annotations/json-values.ts'
import { mergeAnnotations } from './annotations/merge.ts'
import { takeBooks } from './annotations/take-books.ts'
import type { AccountDirectory } from './auth/accounts.ts'
import { revokeDevice } from './auth/devices.ts'
import type { SignIns } from './auth/sign-ins.ts'
import type { SyncKeys } from './auth/sync-keys.ts'
import type { Pairing } from './auth/pairing.ts'
import { systemClock } from './clock.ts'
import type { Account } from './core/account.ts'
import type { BlobStore } from './core/blobs.ts'
import type { Hub } from './core/hub.ts'
import { OPERATOR } from './core/origin.ts'
import { readPage } from './core/read.ts'
import type { Store } from './core/store.ts'
import { linkBook, unlinkBook, unlinkedDocuments } from './dialects/kosync/documents.ts'
import { ANSWERS_SETTING } from './dialects/kosync/progress.ts'
import { keyOfPassword } from './dialects/kosync/sign-in.ts'
import type { Households } from './dialects/timelimit/households.ts'
import { importBook } from './import-book.ts'
import { hubStats, type FolderFigures } from './stats.ts'

/** What an operator's command may use. */
export interface OperatorParts {
  readonly hub: Hub
  readonly directory: AccountDirectory
  readonly syncKeys: SyncKeys
  readonly signIns: SignIns
  readonly pairing: Pairing
  readonly households: Households
  readonly blobs: BlobStore
  readonly store: Store
  readonly figures: () => Promise<FolderFigures>
  /** Copies the store as it stands into the data folder. @throws HubError `storage-full` */
  readonly copyStore: (name: string) => Promise<void>
}

interface Operation<A> {
  readonly arguments: Shape<A>
  run(this: void, parts: OperatorParts, given: A): Promise<Plain> | Plain
}

const operation = <A>(form: Shape<A>, run: Operation<A>['run']): Operation<A> => ({ arguments: form, run })

/** Of eight characters at least: what is guessed is guessed from short ones. */
export const newPassword = str(256, 8)
const name = key(128)
const text = str(256, 1)

const description = map({
  id: opt(name),
  identifiers: list(str(128), 256),
  fields: ACTIONS['book.put'].body,
  position: opt(map({ progression: number(0, 1), atMs: uint, device: opt(str(256)) })),
  isRecord: opt(bool)
})

const PAGE_DOCUMENTS = 1_000

const open = async ({ hub, directory }: OperatorParts, account: string): Promise<Account> =>
  hub.ensureAccount(directory.get(account).id)

/** Everything that an operator can have done, in a running hub or, when none runs, in the store itself. */
export const OPERATIONS = {
  'account.add': operation(map({ account: name, password: opt(newPassword) }), async ({ directory }, { account, password }) => {
    const entry = await directory.add(account, password)
    return { account: entry.name, id: entry.id }
  }),
  'account.list': operation(map({}), ({ directory }) =>
    directory.list().map(entry => ({
      account: entry.name,
      id: entry.id,
      hasPassword: entry.passwordHash !== '',
      createdAtMs: entry.createdAtMs
    }))
  ),
  'account.passwd': operation(map({ account: name, password: newPassword }), async (parts, { account, password }) => {
    await parts.directory.setPassword(account, password)
    const opened = await open(parts, account)
    // Sign-ins with the one before end; devices keep tokens of their own.
    await parts.signIns.endAll(opened)
    const devices = opened.views.range('devices', [], '', Infinity)
    return { devices: devices.filter(([, { revoked, disabled }]) => !revoked && disabled !== true).length }
  }),
  'account.kosync': operation(
    map({ account: name, password: opt(newPassword), off: opt(bool), answers: opt(oneOf('newest', 'furthest')) }),
    async (parts, { account, password, off = false, answers }) => {
      const { id } = parts.directory.get(account)
      if (password !== undefined) await parts.syncKeys.set(id, keyOfPassword(password))
      if (off) await parts.syncKeys.remove(id)
      if (answers !== undefined)
        await (await open(parts, account)).perform(OPERATOR, 'setting.put', ANSWERS_SETTING, { value: answers })
      return {}
    }
  ),
  'device.list': operation(map({ account: name }), async (parts, { account }) => {
    const { views } = await open(parts, account)
    return views
      .range('devices', [], '', 10_000)
      .map(([device, { name, app, readOnly, disabled = false, revoked, registeredAtUs }]) => ({
        device,
        name,
        app,
        readOnly,
        disabled,
        revoked,
        registeredAtMs: Math.floor(registeredAtUs / 1_000)
      }))
  }),
  'device.revoke': operation(map({ account: name, device: name }), async (parts, { account, device }) => {
    await revokeDevice(await open(parts, account), device)
    return {}
  }),
  'device.pair': operation(map({ account: name, readOnly: opt(bool) }), ({ directory, pairing }, { account, readOnly = false }) =>
    pairing.open(directory.get(account).id, readOnly)
  ),
  'household.create': operation(map({ account: name, mail: str(256, 3) }), ({ households }, { account, mail }) =>
    households.reserve(account, mail)
  ),
  'household.list': operation(map({}), ({ households }) => households.list()),
  'household.device': operation(map({ account: name }), ({ households }, { account }) => households.openWords(account)),
  'household.code': operation(map({ mail: opt(str(256)) }), ({ households: { codes } }, { mail }) => {
    const rows = codes.open().map(row => ({ ...row }))
    if (mail === undefined) return rows
    const newest = rows.findLast(row => row.mail === mail.trim().toLowerCase())
    if (newest === undefined) throw new HubError('not-found', `no code is open for ${mail}; ask for one in the app`)
    return newest
  }),
  'book.link': operation(map({ account: name, book: text, identifier: text }), async (parts, { account, book, identifier }) => ({
    identifier: await linkBook(await open(parts, account), book, identifier)
  })),
  'book.unlink': operation(
    map({ account: name, book: text, identifier: text }),
    async (parts, { account, book, identifier }) => ({
      identifier: await unlinkBook(await open(parts, account), book, identifier)
    })
  ),
  'book.unlinked': operation(map({ account: name }), async (parts, { account }) =>
    unlinkedDocuments((await open(parts, account)).views, 1_000).map(document => ({ ...document }))
  ),
  stats: operation(map({}), hubStats),
  copy: operation(map({ name }), async ({ copyStore }, given) => {
    await copyStore(given.name)
    return {}
  }),
  compact: operation(map({ account: opt(name) }), async ({ hub, directory }, { account }) => {
    const entries = account === undefined ? directory.list() : [directory.get(account)]
    const rows: Plain[] = []
    for (const entry of entries) {
      if ((await hub.account(entry.id)) === undefined) continue
      const { floorBefore, floor, head, unfoldable } = await hub.compact(entry.id)
      rows.push({
        account: entry.name,
        changesBefore: head - floorBefore + 1,
        changes: head - floor + 1,
        floor,
        head,
        ...(unfoldable.length > 0 && { unfoldable: [...unfoldable] })
      })
    }
    return rows
  }),
  import: operation(map({ account: name, path: str(4_096, 1) }), async (parts, { account, path }) =>
    importBook(parts, await open(parts, account), path)
  ),
  'import.books': operation(
    map({ account: name, books: list(description, 200), isAdding: bool }),
    async (parts, { account, books, isAdding }) => {
      parts.hub.mustTakeWrites()
      return (await takeBooks(
        await open(parts, account),
        OPERATOR,
        books as unknown as BookDescription[],
        isAdding,
        systemClock
      )) as unknown as Plain
    }
  ),
  'import.annotations': operation(
    map({ account: name, book: name, annotations: list(dict(any, 32), 1_000) }),
    async (parts, { account, book, annotations }) => {
      parts.hub.mustTakeWrites()
      const given = annotations.map(plainOf) as unknown as Annotation[]
      return (await mergeAnnotations(await open(parts, account), OPERATOR, book, given, Date.now)) as unknown as Plain
    }
  ),
  'book.unlisted': operation(map({ account: name, after: str(128) }), async (parts, { account: of, after }) => {
    const { views } = await open(parts, of)
    const page = views.range('documents', [], after, PAGE_DOCUMENTS).map(([book]) => book)
    const value = page.filter(book => views.get('books', book) === undefined).map(book => [book, {}])
    return { value, next: page.length < PAGE_DOCUMENTS ? '' : page.at(-1)! }
  }),
  read: operation(
    map({ account: name, view: oneOf('books', 'book', 'annotations'), key: str(128), after: str(128) }),
    async (parts, { account: of, view, key, after }) => {
      const account = await open(parts, of)
      if (view === 'annotations') await account.documents.load(new Set([key]))
      const { value, next } = readPage(account, view, key, after, { maxEntryBytes: Infinity })
      await account.settled()
      return { value: jsonOf(value) as Plain, next }
    }
  )
} as const

export type OperationName = keyof typeof OPERATIONS

export const isOperationName = (value: string): value is OperationName => Object.hasOwn(OPERATIONS, value)

/**
 * Runs one operation. Bad arguments change nothing.
 * @throws HubError
 */
export async function operate(parts: OperatorParts, operationName: OperationName, given: unknown): Promise<Plain> {
  const { arguments: form, run } = OPERATIONS[operationName] as Operation<unknown>
  return run(parts, checked('bad-request', form, given, 'arguments'))
}

/** What only a running hub can do, because it is in its memory: codes. */
const NEEDS_HUB: ReadonlySet<OperationName> = new Set(['device.pair', 'household.device', 'household.code'])

/** @throws HubError for what only a running hub can do */
export function assertRunning(operationName: OperationName, dataFolder: string): void {
  if (NEEDS_HUB.has(operationName))
    throw new HubError('not-found', `no hub runs in ${dataFolder}; start it first, since codes are good with one that runs`)
}
