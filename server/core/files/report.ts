import { HubError, type ErrorCode, type Plain } from '../../../protocol/index.ts'
import type { Account } from '../account.ts'
import type { Origin } from '../origin.ts'
import { nextTurn, type Clock } from '../ports.ts'
import type { FileContent } from '../records.ts'
import type { Views } from '../views.ts'
import { mustBePuttable } from './actions.ts'
import { fileAt } from './contents.ts'

/** What a device did to a file of its own. A base is the content that it knew there from the hub; without one it knew of none. */
export type LocalChange =
  | { readonly change: 'put'; readonly path: string; readonly content: FileContent; readonly base?: string }
  | { readonly change: 'deleted'; readonly path: string; readonly base: string }
  | {
      readonly change: 'moved'
      readonly path: string
      readonly from: string
      readonly content: FileContent
      readonly base: string
    }

/** What became of it in the account. */
export type Reported =
  /** It is so for everyone now. */
  | { readonly result: 'accepted'; readonly cursor: number }
  /** It was so already. */
  | { readonly result: 'already-known' }
  /** The hub lacks the bytes. Nothing was done: it is to be reported again once they are here. */
  | { readonly result: 'upload-required' }
  /** Both sides are kept, until somebody resolves it. */
  | { readonly result: 'conflict'; readonly conflict: string }
  | { readonly result: 'refused'; readonly code: ErrorCode; readonly message: string; readonly field: string }

/** Changes that are looked at in one turn, and begun before the first of them is durable: each may be compared with all open conflicts over its path. */
const AT_ONCE = 20

type Step = readonly [kind: 'file.put' | 'file.remove' | 'file.move', key: string, body: Plain]

/** Takes what a device reports, in its order. Each is accepted or not by itself; what was reported before comes to the same. Resolves once all is durable. */
export async function report(
  account: Account,
  origin: Origin,
  changes: readonly LocalChange[],
  clock: Clock
): Promise<Reported[]> {
  const reported: Reported[] = []
  for (let at = 0; at < changes.length; at += AT_ONCE) {
    reported.push(...(await Promise.all(changes.slice(at, at + AT_ONCE).map(change => take(account, origin, change)))))
    // What is refused or known waits for no disk.
    await nextTurn(clock)
  }
  return reported
}

/** Begins at once: until its first change is made it waits for nothing. */
async function take(account: Account, origin: Origin, change: LocalChange): Promise<Reported> {
  const { views } = account
  try {
    const planned = plan(views, change)
    if ('result' in planned) return planned
    const cursors = await Promise.all(planned.map(([kind, key, body]) => account.perform(origin, kind, key, body)))
    const conflict = cursors.map(String).find(id => views.get('conflicts', id) !== undefined)
    return conflict === undefined ? { result: 'accepted', cursor: cursors.at(-1)! } : { result: 'conflict', conflict }
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    return { result: 'refused', code: error.code, message: error.message, field: error.field }
  }
}

/** The actions that a change comes to, as the files stand. @throws HubError when the first of several would be refused: then none is to be done */
function plan(views: Views, change: LocalChange): readonly Step[] | Reported {
  const there = fileAt(views, change.path)
  if (change.change === 'deleted') {
    if (there === undefined) return { result: 'already-known' }
    if (there.content.sha256 !== change.base) return conflictAt(views, change.path, null) ?? [removal(change.path, change.base)]
    return [removal(change.path, change.base)]
  }
  const { path, content } = change
  const isMove = change.change === 'moved'
  const source = isMove ? fileAt(views, change.from) : undefined
  const isSourceAsSeen = isMove && source?.content.sha256 === change.base
  if (there?.content.sha256 === content.sha256)
    return isMove && isSourceAsSeen ? [removal(change.from, change.base)] : { result: 'already-known' }
  if (views.get('contents', content.sha256) === undefined) return { result: 'upload-required' }
  if (isMove && isSourceAsSeen && there === undefined && content.sha256 === change.base)
    return [['file.move', change.from, { to: path, base: change.base }]]
  const base = isMove ? undefined : change.base
  // Such a put is taken, whatever was a conflict at this path before.
  const isAsSeen = there?.content.sha256 === base
  const known = isAsSeen ? undefined : conflictAt(views, path, content)
  if (known !== undefined) return known
  const put: Step = ['file.put', path, { ...content, ...(base !== undefined && { base }) }]
  // What others made of it meanwhile stays where it was.
  if (!isSourceAsSeen || !isAsSeen) return [put]
  mustBePuttable(views, path, content)
  return [put, removal(change.from, change.base)]
}

const removal = (path: string, base: string): Step => ['file.remove', path, { base }]

/** The same side of a conflict is not kept twice. */
function conflictAt(views: Views, path: string, client: FileContent | null): Reported | undefined {
  const id = views.get('files', path)?.conflicts?.find(known => views.get('conflicts', known)?.client?.sha256 === client?.sha256)
  return id === undefined ? undefined : { result: 'conflict', conflict: id }
}
