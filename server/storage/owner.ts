import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Logger } from '../core/ports.ts'
import type { Database } from './environment.ts'
import { ownerKey } from './keys.ts'
import { keySum, openValue, sealValue } from './layout.ts'

/** Who uses a store. One process at a time may: the heads that it remembers are only right while nobody else appends. */
export interface Owner {
  readonly pid: number
  /** Boot id and clock ticks since boot, because a pid alone comes back; empty where the system does not tell. */
  readonly started: string
  readonly host: string
  /** Random: tells two claims of one process apart. */
  readonly id: string
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

export const inUse = (pid: number, path: string, host = ''): Error =>
  new Error(`another hub (pid ${pid}${host === '' ? '' : ` on ${host}`}) is using ${path}`)

function readOwner(db: Database): Owner | undefined {
  const record = db.getBinary(ownerKey)
  return record && (JSON.parse(Buffer.from(openValue(record, keySum(ownerKey), 'the owner record')).toString()) as Owner)
}

/**
 * Makes this process the owner, in a write transaction, which excludes those of other processes.
 *
 * @throws Error when the last owner may be alive
 * @throws StoreDamage
 */
export function claim(db: Database, path: string, takeOver: boolean, logger: Logger): Owner {
  const owner = thisProcess()
  db.transactionSync(() => {
    const last = readOwner(db)
    const isElsewhere = last !== undefined && last.host !== owner.host
    if (last !== undefined && isAlive(last) && !(takeOver && isElsewhere))
      throw inUse(last.pid, path, isElsewhere ? last.host : '')
    if (last !== undefined) logger.warn({ pid: last.pid, host: last.host, path }, 'the last hub did not close its store')
    void db.put(ownerKey, sealValue(Buffer.from(JSON.stringify(owner)), keySum(ownerKey)))
  })
  return owner
}

/** MUST NOT be called while a commit is under way: a synchronous transaction cuts one of those in two. */
export function release(db: Database, { id }: Owner): void {
  db.transactionSync(() => {
    if (readOwner(db)?.id === id) void db.remove(ownerKey)
  })
}
