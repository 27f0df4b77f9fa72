import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import type { Logger } from '../core/ports.ts'
import { isMissing } from './files.ts'

/** Who has a store open. One process at a time may, be it only to read: README.md says why. */
export interface Owner {
  readonly pid: number
  /** Boot id and clock ticks since boot, because a pid alone comes back; empty where the system does not tell. */
  readonly started: string
  readonly host: string
  /** Random: tells two claims of one process apart. */
  readonly id: string
}

/** A claim that is held. */
export interface Claim {
  release(): void
  /** False when the file that says so is gone or names somebody else; true also when that cannot be told. */
  isHeld(): Promise<boolean>
}

/** No claim can be made: the disk is full, has no hard links, or cannot be written to from here. Whoever cannot claim a store cannot write it either, and may read it as it is. */
export class Unclaimable extends Error {
  override readonly name = 'Unclaimable'
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

export const thisProcess = (): Owner => ({ pid: process.pid, started: startOf(process.pid), host: hostname(), id: randomUUID() })

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** False when the owner is certainly gone. A process of another host cannot be seen, and counts as alive. */
export function isAlive({ pid, started, host }: Owner): boolean {
  if (host !== hostname()) return true
  if (!exists(pid)) return false
  const now = startOf(pid)
  return started === '' || now === '' || started === now
}

/**
 * Makes this process the owner of the store at `path`, which MUST come before LMDB opens it. Whoever is there is named in the file `<path>-owner`.
 *
 * @param takeOver takes it from an owner on another host too
 * @throws Unclaimable saying what to do
 * @throws Error when the last owner may be alive
 */
export function claim(path: string, takeOver = false, logger?: Logger): Claim {
  return claimFile(ownerFile(path), path, takeOver, logger)
}

/** One store has one owner, by whatever name it is opened. */
const ownerFile = (path: string): string => `${existsSync(path) ? realpathSync(path) : path}-owner`

/**
 * Who last claimed the store at `path` and did not let it go; undefined when nobody did.
 * @throws Error when the claim cannot be read
 */
export const ownerOf = (path: string): Owner | undefined => readOwner(ownerFile(path))

/** True when nobody who may be alive has claimed `path`. */
export function isFree(path: string): boolean {
  const owner = ownerOf(path)
  return owner === undefined || !isAlive(owner)
}

function claimFile(file: string, path: string, takeOver: boolean, logger?: Logger): Claim {
  const owner = thisProcess()
  for (;;) {
    const last = readOwner(file)
    if (last === undefined) {
      if (appears(file, owner))
        return {
          release: () => void (readOwner(file)?.id === owner.id && rmSync(file)),
          isHeld: () =>
            readFile(file, 'utf8').then(
              text => text.includes(owner.id),
              error => !isMissing(error)
            )
        }
      continue
    }
    if (isAlive(last) && !(takeOver && last.host !== owner.host)) throw inUse(last, file, path)
    logger?.warn({ pid: last.pid, host: last.host, path }, 'the last owner did not close the store')
    // Of several who find that one gone, the one removes its claim who claims that first. It may be gone by then, and another be there.
    const right = claimFile(`${file}.${last.id}`, path, takeOver)
    try {
      if (readOwner(file)?.id === last.id) rmSync(file)
    } finally {
      right.release()
    }
  }
}

const inUse = ({ pid, host }: Owner, file: string, path: string): Error =>
  new Error(
    host === hostname()
      ? `another process (pid ${pid}) is using ${path}: wait until it ends, or end it`
      : `a process on another host (pid ${pid} on ${host}) may be using ${path}: if it is gone for good, remove ${file}`
  )

function readOwner(file: string): Owner | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const owner = JSON.parse(text) as Owner
    if (Number.isInteger(owner.pid) && typeof owner.host === 'string') return owner
  } catch {
    // Said below.
  }
  throw new Error(`${file} cannot be read: remove it if nobody uses the store`)
}

/** Puts the file there, all of it at once. @returns false when there is one already */
function appears(file: string, owner: Owner): boolean {
  const unnamed = `${file}.${owner.id}`
  try {
    writeWhole(unnamed, JSON.stringify(owner))
    return isLinked(unnamed, file)
  } finally {
    rmSync(unnamed, { force: true })
  }
}

/** On disk when it returns: a power cut must not leave a name without what it stands for. */
function writeWhole(file: string, text: string): void {
  try {
    const handle = openSync(file, 'wx', 0o644)
    try {
      writeFileSync(handle, text)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
  } catch (error) {
    throw saidOf(error, file, UNWRITABLE)
  }
}

/** What to throw for an error whose code the table has, or the error itself. */
function saidOf(error: unknown, file: string, table: Readonly<Record<string, string>>): unknown {
  const { code = '' } = error as NodeJS.ErrnoException
  const advice = table[code]
  return advice === undefined
    ? error
    : new Unclaimable(`no store in ${dirname(file)} can be written to (${code}): ${advice}`, { cause: error })
}

const ROOM = 'the disk is full; make room there'
const WRITABLE = 'mount it for writing, give this user the right to write there, or name another folder'
/** What to do where no file can be made. */
const UNWRITABLE: Readonly<Record<string, string>> = {
  ENOSPC: ROOM,
  EDQUOT: ROOM,
  EROFS: WRITABLE,
  EACCES: WRITABLE,
  EPERM: WRITABLE
}
const LINKS = 'that needs a file system with hard links; name a folder on another disk'
/** The same for a second name of a file, as file systems without hard links say it. */
const UNLINKABLE = { ...UNWRITABLE, EPERM: LINKS, ENOTSUP: LINKS, EOPNOTSUPP: LINKS, ENOSYS: LINKS }

/** @returns false when there is such a file already */
function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw saidOf(error, to, UNLINKABLE)
  }
}
