import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { sha256Of } from './contents.ts'

/** Every file of a mirrored folder by path, with its SHA-256; hidden ones are left out. Files may come and go meanwhile. */
export function filesIn(folder: string): Record<string, string> {
  const found: [string, string][] = []
  for (const place of placesIn(folder)) {
    const path = relative(folder, place)
    if (path.split('/').some(name => name.startsWith('.'))) continue
    try {
      found.push([path, sha256Of(readFileSync(place))])
    } catch {
      // Gone since it was listed.
    }
  }
  return Object.fromEntries(found.sort(([left], [right]) => (left < right ? -1 : 1)))
}

/** The SHA-256 of everything that a mirrored folder keeps aside. */
export const asideIn = (folder: string): string[] =>
  placesIn(join(folder, '.lectern', 'removed')).map(place => sha256Of(readFileSync(place)))

function placesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
      const place = join(folder, entry.name)
      return entry.isDirectory() ? placesIn(place) : entry.isFile() ? [place] : []
    })
  } catch {
    return []
  }
}
