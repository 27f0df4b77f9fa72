import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where real books and traces are, for tests that take them beside those that they make: the folder that `LECTERN_DATA` names, if it is there. */
export function realData(path: string): string | undefined {
  const folder = process.env['LECTERN_DATA']
  if (folder === undefined) return undefined
  const found = join(folder, path)
  return existsSync(found) ? found : undefined
}
