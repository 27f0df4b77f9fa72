import { createHash, timingSafeEqual } from 'node:crypto'
import type { RandomBytes } from '../core/ports.ts'

const PREFIX = 'lectern_'
const SECRET_BYTES = 32
const MAX_NAME_BYTES = 64
/** Ids of accounts and devices are words; anything else in a token would go on to the store as a key. */
const NAME = /^[0-9A-Za-z_-]{1,64}$/
const MAX_LENGTH = PREFIX.length + Math.ceil(((1 + MAX_NAME_BYTES + 1 + MAX_NAME_BYTES + SECRET_BYTES) * 4) / 3)

export interface IssuedToken {
  /** Given to the device once, and kept nowhere. */
  readonly token: string
  /** SHA-256 of the secret: what the hub keeps. */
  readonly secretHash: Uint8Array
}

/** What a token says about itself. Nothing of it may be believed before `matches`. */
export interface ParsedToken {
  readonly account: string
  readonly device: string
  readonly secret: Uint8Array
}

/**
 * Makes a device's token: one URL-safe word, which names the account and the device so that a check is one read.
 *
 * `token = "lectern_" base64url(len(account) account len(device) device secret)`, with one byte for each length and 32 for the secret.
 *
 * @param account an id: 1..64 letters, digits, `_` and `-`
 * @param device an id of the same form
 */
export function issueToken(account: string, device: string, randomBytes: RandomBytes): IssuedToken {
  const secret = randomBytes(SECRET_BYTES)
  if (secret.length !== SECRET_BYTES) throw new Error(`a token needs ${SECRET_BYTES} random bytes`)
  const body = Buffer.concat([sized(account), sized(device), secret])
  return { token: PREFIX + body.toString('base64url'), secretHash: sha256(secret) }
}

/** Whether a token says that it is a device's own. */
export const isDeviceToken = (token: string): boolean => token.startsWith(PREFIX)

/** Takes a token apart; undefined unless it is, to the letter, one that `issueToken` could have made. */
export function parseToken(token: string): ParsedToken | undefined {
  if (token.length > MAX_LENGTH || !isDeviceToken(token)) return undefined
  const word = token.slice(PREFIX.length)
  const body = Buffer.from(word, 'base64url')
  // Node decodes other alphabets, padding and stray bits too; one device must not have two spellings of its token.
  if (body.toString('base64url') !== word) return undefined
  const account = readName(body, 0)
  if (account === undefined) return undefined
  const device = readName(body, account.end)
  if (device === undefined || body.length !== device.end + SECRET_BYTES) return undefined
  return { account: account.name, device: device.name, secret: body.subarray(device.end) }
}

/** True when the secret is the one that was hashed. Takes the same time wherever they differ. */
export function matches(secret: Uint8Array, secretHash: Uint8Array): boolean {
  const hash = sha256(secret)
  return hash.length === secretHash.length && timingSafeEqual(hash, secretHash)
}

function sized(name: string): Buffer {
  if (!NAME.test(name)) throw new Error(`a token names accounts and devices by 1 to ${MAX_NAME_BYTES} letters, digits, _ and -`)
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name)])
}

function readName(body: Buffer, start: number): { name: string; end: number } | undefined {
  const end = start + 1 + (body[start] ?? 0)
  if (end === start + 1 || end > body.length) return undefined
  const name = body.toString('latin1', start + 1, end)
  return NAME.test(name) ? { name, end } : undefined
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
