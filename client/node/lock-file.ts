import { randomUUID } from 'node:crypto'
import { constants, copyFileSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** Who has a lock. */
interface Owner {
  readonly pid: number
  /** Boot id and clock ticks since boot, because a pid alone comes back; empty where the system does not tell. */
  readonly started: string
  /** Random: tells two locks of one process apart. */
  readonly id: string
}

/** Locks that this process has, for systems that do not tell whether it is the one that a lock names. */
const held = new Set<string>()

/**
 * Takes a lock file with this process's name in it. One whose process is gone is taken over.
 *
 * @param taken makes the error for when another has it
 * @returns gives it back
 */
export function lockFile(path: string, taken: () => Error): () => void {
  const name = resolve(path)
  if (held.has(name)) throw taken()
  const unlock = take(name, taken)
  held.add(name)
  return () => {
    unlock()
    held.delete(name)
  }
}

function take(path: string, taken: () => Error): () => void {
  const owner: Owner = { pid: process.pid, started: startOf(process.pid), id: randomUUID() }
  for (;;) {
    const last = readOwner(path)
    if (last === undefined) {
      if (appears(path, owner)) return () => removeOf(path, owner)
      continue
    }
    if (isAlive(last)) throw taken()
    // Of several who find that one gone, the one removes its lock who locks that first. It may be gone by then, and another be there.
    const unlock = take(`${path}.${last.id}`, taken)
    try {
      removeOf(path, last)
    } finally {
      unlock()
    }
  }
}

function removeOf(path: string, { id }: Owner): void {
  if (readOwner(path)?.id === id) rmSync(path, { force: true })
}

/** A lock may hold nothing that can be read: whoever made that did not live to the end of it. */
function readOwner(path: string): Owner | undefined {
  try {
    const said = JSON.parse(readFileSync(path, 'utf8')) as Owner | null
    if (typeof said?.id === 'string') return said
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (!(error instanceof SyntaxError)) throw error
  }
  return { pid: 0, started: '', id: 'unreadable' }
}

function isAlive({ pid, started }: Owner): boolean {
  if (!exists(pid)) return false
  const now = startOf(pid)
  // Where nobody tells, an own lock that is not held stems from an earlier process with the same pid.
  return started === '' || now === '' ? pid !== process.pid : started === now
}

function exists(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** The ticks are field 22 of /proc/<pid>/stat (man proc_pid_stat), counted behind the name, which may hold spaces and brackets. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${ticks}`
  } catch {
    return ''
  }
}

/** Puts the lock there, all of it at once. @returns false when there is one already */
function appears(path: string, owner: Owner): boolean {
  const unnamed = `${path}.${owner.id}`
  writeFileSync(unnamed, JSON.stringify(owner), { mode: 0o600, flag: 'wx' })
  try {
    return isMade(() => linkSync(unnamed, path))
  } catch {
    // exFAT and its like have no hard links. There two who come at the very same moment may not see each other.
    return isMade(() => copyFileSync(unnamed, path, constants.COPYFILE_EXCL))
  } finally {
    rmSync(unnamed, { force: true })
  }
}

/** @returns false when it is there already */
function isMade(make: () => void): boolean {
  try {
    make()
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code
