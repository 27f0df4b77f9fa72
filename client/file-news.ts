import type { ChangeBody } from '../protocol/index.ts'
import type { Folded } from './fold.ts'

/** A path at which something else is now, or a conflict that came or was resolved. */
export type FileNews = readonly [event: 'file' | 'conflict', key: string]

/** What a change of files makes look different. Files are not mirrored: who wants them reads them from the hub. */
export function touchedFiles({ kind, key, body, cursor }: Folded): readonly FileNews[] {
  if (kind === 'file.conflict') return [['conflict', String(cursor)]]
  if (kind === 'file.move')
    return [
      ['file', key],
      ['file', (body as ChangeBody<'file.move'>).to]
    ]
  if (kind === 'conflict.resolve') {
    const { path, file } = body as ChangeBody<'conflict.resolve'>
    return [['conflict', key], ['file', path], ...(file === undefined ? [] : [['file', file.path] as const])]
  }
  return kind.startsWith('file.') ? [['file', key]] : []
}
