import type { RandomBytes } from './ports.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const LENGTH = 12

const RESTORED = 'restored-'

/** A new id of an account, a device or an epoch: 12 letters and digits, 71 bits. */
export function newId(randomBytes: RandomBytes): string {
  let id = ''
  while (id.length < LENGTH)
    for (const byte of randomBytes(LENGTH))
      if (byte < ALPHABET.length * 4 && id.length < LENGTH) id += ALPHABET[byte % ALPHABET.length]
  return id
}

/** The epoch of a log that comes out of a backup: devices may have changes that it lacks, made before now. */
export const newRestoredEpoch = (randomBytes: RandomBytes, nowMs: number): string =>
  `${RESTORED}${Math.floor(nowMs).toString(36)}-${newId(randomBytes)}`

/** When the log of this epoch came out of a backup; undefined of one that never did, or whose hub did not note it. */
export function restoredAtMs(epoch: string): number | undefined {
  const time = epoch.startsWith(RESTORED) ? /^[0-9a-z]+(?=-)/.exec(epoch.slice(RESTORED.length))?.[0] : undefined
  return time === undefined ? undefined : Number.parseInt(time, 36)
}

/** True when an epoch was given to a log that came out of a backup. */
export const isRestored = (epoch: string): boolean => epoch.startsWith(RESTORED)
