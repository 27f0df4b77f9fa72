import { HubError, isSameValue, type ActionBody, type ErrorCode } from '../../protocol/index.ts'
import type { Account } from '../core/account.ts'
import { annotationIn, type PlainAnnotation } from '../core/documents/annotations.ts'
import type { Origin } from '../core/origin.ts'
import type { Annotation } from './annotation.ts'
import { wordsOf } from './uris.ts'

/** So many are merged in one turn. */
const SLICE = 32
/** What is wrong with one annotation, and not with all that come after it. */
const OF_ONE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['bad-action', 'too-large', 'bad-update'])

/** What became of annotations that came in. */
export interface Merged {
  added: number
  changed: number
  /** There already. */
  same: number
  /** Not taken, because the account's own is newer. */
  kept: number
  /** Removed in the account, and not brought back. */
  removed: number
  /** What cannot be kept. */
  readonly leftOut: { readonly id: string; readonly reason: string }[]
}

type Outcome = 'same' | 'kept' | 'removed' | { readonly put: PutFields; readonly atMs: number; readonly isNew: boolean }
type PutFields = Omit<ActionBody<'annotation.put'>, 'id'>

/**
 * Brings annotations from elsewhere into a book. What is there already stays as it is; what was removed stays removed; and one that differs is taken only
 * where it was changed later than the account's own. Resolves once all is durable; begun again after a failure, it goes on where it was.
 *
 * @throws HubError what concerns all of them, such as `quota-exceeded`
 */
export async function mergeAnnotations(
  account: Account,
  origin: Origin,
  book: string,
  annotations: readonly Annotation[],
  nowMs: () => number
): Promise<Merged> {
  const merged: Merged = { added: 0, changed: 0, same: 0, kept: 0, removed: 0, leftOut: [] }
  for (let start = 0; start < annotations.length; start += SLICE) {
    await account.documents.load(new Set([book]))
    const { doc } = account.documents.use(book)
    const performed = annotations.slice(start, start + SLICE).map(async annotation => {
      const outcome = judge(annotation, annotationIn(doc, annotation.id), nowMs())
      if (typeof outcome === 'string') merged[outcome] += 1
      else {
        try {
          await account.perform(origin, 'annotation.put', book, { id: annotation.id, ...outcome.put }, outcome.atMs)
          merged[outcome.isNew ? 'added' : 'changed'] += 1
        } catch (error) {
          if (!(error instanceof HubError) || !OF_ONE.has(error.code)) throw error
          merged.leftOut.push({ id: annotation.id, reason: error.message })
        }
      }
    })
    // All of a slice come to an end before one of them may fail.
    for (const result of await Promise.allSettled(performed)) if (result.status === 'rejected') throw result.reason
  }
  return merged
}

/** @param held as the account has it */
function judge(annotation: Annotation, held: PlainAnnotation | undefined, nowMs: number): Outcome {
  const { id: _, createdAtMs, updatedAtMs, base, ...fields } = annotation
  const changedAtMs = updatedAtMs ?? createdAtMs
  if (held === undefined)
    return {
      put: { ...fields, ...(createdAtMs !== undefined && { createdAtMs: Math.min(createdAtMs, Math.floor(nowMs)) }) },
      atMs: changedAtMs ?? nowMs,
      isNew: true
    }
  if (held['removedAtMs'] !== undefined) return 'removed'
  const differing = Object.entries(fields).filter(([name, value]) => !isSameValue(held[name], value))
  const isEdited = base !== undefined && base !== wordsOf(fields)
  if (isEdited)
    differing.push(
      ...(['quote', 'note'] as const)
        .filter(name => fields[name] === undefined && held[name])
        .map(name => [name, null] as [string, never])
    )
  if (differing.length === 0) return 'same'
  // A file that people edit says what it was made of: if that is what is here, the edit goes on from it.
  if (isEdited && base === wordsOf(held)) return { put: Object.fromEntries(differing), atMs: nowMs, isNew: false }
  const heldAtMs = held['updatedAtMs'] ?? held['createdAtMs']
  const isNewer = changedAtMs !== undefined && (typeof heldAtMs !== 'number' || changedAtMs > heldAtMs)
  return isNewer && !isEdited ? { put: Object.fromEntries(differing), atMs: changedAtMs, isNew: false } : 'kept'
}
