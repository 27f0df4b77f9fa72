import type { Views } from '../../server/core/views.ts'

/** The tables of which an account's records are read page by page from now on, once for each page. */
export function tablesRead(views: Views): readonly string[] {
  const tables: string[] = []
  const range = views.range.bind(views)
  views.range = (table, ...rest) => {
    tables.push(table)
    return range(table, ...rest)
  }
  return tables
}
