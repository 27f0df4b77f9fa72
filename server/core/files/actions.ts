import { folderOf, HubError, nameOf, pathBeside, type ActionKind, type ChangeBody } from '../../../protocol/index.ts'
import type { ActionContext, Handler } from '../actions.ts'
import type { FileContent, FileRecord } from '../records.ts'
import type { Views } from '../views.ts'
import { fileAt } from './contents.ts'

type FileAction = Extract<ActionKind, `file.${string}` | 'conflict.resolve'>

/** SOAP clients take ids for signed numbers of 32 bits. */
const MAX_ID = 2 ** 31 - 1 - 64
/** Open ones over one path: the record of its file names them all. */
const MAX_CONFLICTS = 100

/** Turns the actions of files into changes. Nothing is overwritten that the asker had not seen: what does not fit is kept beside it, as a conflict. */
export const FILE_HANDLERS: { readonly [K in FileAction]: Handler<K> } = {
  'file.put': ({ views }, path, body) => {
    mustBePuttable(views, path, body)
    const known = views.get('files', path)
    const there = hashAt(views, path)
    // Of a path that the hub never had a client may know from a hub that was restored: nobody's content stands against its.
    const isAsSeen = known === undefined || there === body.base || there === body.sha256
    if (isAsSeen) return { kind: 'file.put', body }
    mustHaveRoom(path, known)
    const { base, ...client } = body
    return { kind: 'file.conflict', body: { client, ...(base !== undefined && { base }) } }
  },
  'file.remove': ({ views }, path, body) => {
    const known = mustKnow(views, path)
    const there = hashAt(views, path)
    if (there === undefined || there === body.base) return { kind: 'file.remove', body }
    mustHaveRoom(path, known)
    return { kind: 'file.conflict', body: { client: null, base: body.base } }
  },
  'file.move': ({ views }, path, body) => {
    const { content } = mustKnow(views, path)
    if (hashAt(views, path) !== body.base)
      throw new HubError('base-changed', `${path} is not what the asker saw`, { field: 'body.base' })
    if (hashAt(views, body.to) !== undefined)
      throw new HubError('already-exists', `there is a file ${body.to}`, { field: 'body.to' })
    mustBeFree(views, body.to)
    return { kind: 'file.move', body: { to: body.to, ...content } }
  },
  'file.restore': ({ views }, path, body) => {
    const { movedTo } = mustKnow(views, path)
    if (movedTo !== undefined) throw new HubError('not-found', `the file went on as ${movedTo}`, { field: 'key' })
    mustBeFree(views, path)
    return { kind: 'file.restore', body }
  },
  'conflict.resolve': (context, id, { keep, base, path: given }) => {
    const { views } = context
    const conflict = views.get('conflicts', id)
    if (conflict === undefined || conflict.resolvedAtUs !== undefined)
      throw new HubError('not-found', `there is no open conflict ${id}`, { field: 'key' })
    const { path, client } = conflict
    const there = hashAt(views, path)
    if (base !== undefined && base !== (there ?? null))
      throw new HubError('base-changed', `${path} is not what the asker saw`, { field: 'body.base' })
    if (given !== undefined && keep !== 'both')
      throw new HubError('bad-action', 'only with keep "both" a side gets a path', { field: 'body.path' })
    const resolved = (more: Omit<ChangeBody<'conflict.resolve'>, 'keep' | 'path'> = {}): ReturnType<Handler<FileAction>> => ({
      kind: 'conflict.resolve',
      body: { keep, path, ...more }
    })
    if (keep === 'server' || (keep === 'both' && client === null)) return resolved()
    if (keep === 'client' && client === null) return resolved({ removed: true })
    if (keep === 'both') {
      const isTaken = (candidate: string): boolean => views.get('files', candidate) !== undefined || isInTheWay(views, candidate)
      const beside = given ?? pathBeside(path, besideNote(context, conflict.device, conflict.createdAtUs), isTaken)
      if (hashAt(views, beside) !== undefined)
        throw new HubError('already-exists', `there is a file ${beside}`, { field: 'body.path' })
      mustBeFree(views, beside)
      return resolved({ file: { path: beside, ...client! } })
    }
    mustBeFree(views, path)
    return resolved({ file: { path, ...(keep === 'client' ? client! : heldContent(views, keep)) } })
  }
}

/** The SHA-256 of what is at a path now. */
const hashAt = (views: Views, path: string): string | undefined => fileAt(views, path)?.content.sha256

function mustKnow(views: Views, path: string): FileRecord {
  const known = views.get('files', path)
  if (known === undefined) throw new HubError('not-found', `there is no file ${path}`, { field: 'key' })
  return known
}

function heldContent(views: Views, sha256: string): FileContent {
  const held = views.get('contents', sha256)
  if (held === undefined) throw new HubError('content-missing', '', { field: 'body.keep' })
  return { sha256, sizeBytes: held.sizeBytes }
}

/** @throws HubError when the account does not hold this content, or no file can be at the path */
export function mustBePuttable(views: Views, path: string, { sha256, sizeBytes }: FileContent): void {
  mustHold(views, sha256, sizeBytes)
  mustBeFree(views, path)
}

/** By account: that another account holds the same bytes is nobody's business. */
function mustHold(views: Views, sha256: string, sizeBytes: number): void {
  const held = views.get('contents', sha256)
  if (held === undefined) throw new HubError('content-missing', '', { field: 'body.sha256' })
  if (held.sizeBytes !== sizeBytes)
    throw new HubError('bad-action', `this content has ${held.sizeBytes} bytes`, { field: 'body.sizeBytes' })
  if ((views.get('fileTotals')?.lastId ?? 0) >= MAX_ID) throw new HubError('quota-exceeded', 'no ids are left for files')
}

/** A client that is told of a conflict and tries again would add one each time. */
function mustHaveRoom(path: string, { conflicts = [] }: FileRecord): void {
  if (conflicts.length >= MAX_CONFLICTS)
    throw new HubError('quota-exceeded', `${conflicts.length} conflicts are open over ${path}; resolve some`, { field: 'key' })
}

/** A name is a file's or a folder's, never both. @throws HubError `already-exists` when no file can be at the path */
export function mustBeFree(views: Views, path: string): void {
  if (isInTheWay(views, path))
    throw new HubError('already-exists', `a folder has the name ${nameOf(path)}, or a file that of a folder of ${path}`)
}

/** True where a folder has the path's name, or a file that of a folder of it. */
export function isInTheWay(views: Views, path: string): boolean {
  if ((views.get('folders', path)?.entries ?? 0) > 0) return true
  for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) if (hashAt(views, folder) !== undefined) return true
  return false
}

function besideNote({ views }: ActionContext, device: string, timeUs: number): string {
  const day = new Date(timeUs / 1_000).toISOString().slice(0, 10)
  return `${views.get('devices', device)?.name ?? 'another device'}, ${day}`
}
