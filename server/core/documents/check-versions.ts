import { isSameValue } from '../../../protocol/index.ts'
import type { Report } from '../check-account.ts'
import type { AnnotationHistoryRecord } from '../records.ts'
import type { LogHead } from '../store.ts'
import type { Views } from '../views.ts'
import { Document } from './document.ts'
import type { TailUpdate } from './tail.ts'

/**
 * Checks how a book's annotations stood before: as stored, against what the updates in the log show.
 *
 * Of a trimmed log it is not known how they stood at its floor. Then only when versions were made, and by whom, is compared.
 *
 * @param folded what the snapshot holds, of these updates; 0 when there is none
 */
export function checkVersions(
  views: Views,
  { epoch, floor }: LogHead,
  book: string,
  folded: number,
  updates: readonly TailUpdate[],
  report: Report
): void {
  const stored = new Map(views.range('annotationHistories', [book], '', Infinity))
  if (floor > 1) {
    for (const [id, history] of stored)
      if (!isMadeBy(history, floor, updates))
        report(`the record annotationHistories/${book}/${id} is not what the log folds into`)
    return
  }
  // Where many versions were found they are stored ahead of the snapshot, those of all annotations at once.
  const last = Math.max(folded, ...Array.from(stored.values(), ({ versions }) => versions.at(-1)?.cursor ?? 0))
  const upTo = updates.filter(({ at }) => at.cursor <= last)
  const found = Document.open(epoch, undefined, upTo).versions.takeHistories()
  for (const id of new Set([...stored.keys(), ...found.keys()]))
    if (!isSameValue(stored.get(id), found.get(id)))
      report(`the record annotationHistories/${book}/${id} is not what the log folds into`)
}

/** True when each version that a change of the log led to names that change. */
function isMadeBy({ versions }: AnnotationHistoryRecord, floor: number, updates: readonly TailUpdate[]): boolean {
  const made = new Map(updates.map(({ at }) => [at.cursor, at]))
  return versions.every(({ cursor, timeUs, device }) => {
    const at = made.get(cursor)
    return cursor < floor || (at?.timeUs === timeUs && at.device === device)
  })
}
