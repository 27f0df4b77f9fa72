import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

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
