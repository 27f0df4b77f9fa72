import { open, readFile, rm } from 'node:fs/promises'
import { resolve } from 'node:path'

/** Locks of this process, which a lock file with this process's id may stem from; or from one with the same id that was killed. */
const held = new Set<string>()

/**
 * Takes a lock file with this process's id in it. One whose process is gone is taken over.
 *
 * @param taken makes the error for when another has it
 * @returns gives it back
 */
export async function lockFile(path: string, taken: () => Error): Promise<() => Promise<void>> {
  const name = resolve(path)
  if (held.has(name)) throw taken()
  held.add(name)
  try {
    if (!(await isMade(name))) {
      if (await isOwnerAlive(name)) throw taken()
      await rm(name, { force: true })
      if (!(await isMade(name))) throw taken()
    }
  } catch (error) {
    held.delete(name)
    throw error
  }
  return async () => {
    await rm(name, { force: true })
    held.delete(name)
  }
}

async function isMade(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(String(process.pid))
    await file.close()
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function isOwnerAlive(path: string): Promise<boolean> {
  const owner = Number(await readFile(path, 'utf8').catch(() => ''))
  if (!Number.isInteger(owner) || owner <= 0 || owner === process.pid) return false
  try {
    process.kill(owner, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
