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

/** The epoch of a log that comes out of a backup: devices may have changes that it lacks. */
export const newRestoredEpoch = (randomBytes: RandomBytes): string => RESTORED + newId(randomBytes)

/** True when an epoch was given to a log that came out of a backup. */
export const isRestored = (epoch: string): boolean => epoch.startsWith(RESTORED)
