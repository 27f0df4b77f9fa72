import { readFileSync } from 'node:fs'

/** False, having said so, where there is no /proc to read it from. */
export function canReadMemory(): boolean {
  if (process.platform === 'linux') return true
  process.stdout.write('SKIPPED: resident memory is read from /proc\n')
  return false
}

/** How much memory a process has in use. */
export const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1_024
