import { HubError } from '../protocol/index.ts'
import { BadCopy } from './backup.ts'
import { StoreDamage } from './core/store.ts'

/** What the process ends with, as sysexits.h has them where it has one. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** Wrong words, or refused; nothing was done. */
  refused: 2,
  /** What is kept is damaged, or no longer where it was. */
  damaged: 65,
  /** The disk failed in a commit. A restart finds everything that was acked. */
  diskFailed: 75
} as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof HubError || error instanceof RangeError) return EXIT.refused
  return error instanceof StoreDamage || error instanceof BadCopy ? EXIT.damaged : EXIT.failed
}
