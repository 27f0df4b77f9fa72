import { createCipheriv, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Password } from './timelimit-client.ts'

/** A public key as a device is told it. */
export interface ToldKey {
  readonly v: string
  readonly k: string
}

/** What a device may do otherwise than it should. */
export interface SealOptions {
  readonly curve?: string
  readonly about?: string
  readonly text?: string
}

/** A new password as newer apps send it: its second hash sealed for the device's key. */
export function seal(
  { hash, secondHash, secondSalt }: Password,
  { v, k }: ToldKey,
  { curve = 'prime256v1', about = `ParentPassword:${hash}:${secondSalt}`, text = secondHash }: SealOptions = {}
): Password & { readonly encrypted: true } {
  const theirs = createPublicKey({ key: Buffer.from(k, 'base64'), format: 'der', type: 'spki' })
  const own = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const shared = diffieHellman({ privateKey: own.privateKey, publicKey: theirs })
  const start = randomBytes(12)
  const cipher = createCipheriv('aes-128-gcm', shared.subarray(0, 16), start).setAAD(Buffer.from(about))
  const sealed = Buffer.concat([start, cipher.update(text), cipher.final(), cipher.getAuthTag()])
  const told = curve === 'prime256v1' ? own.publicKey : generateKeyPairSync('ec', { namedCurve: curve }).publicKey
  const parts = [sealed.toString('base64'), told.export({ format: 'der', type: 'spki' }).toString('base64'), v]
  return { hash, secondHash: parts.join('.'), secondSalt, encrypted: true }
}
