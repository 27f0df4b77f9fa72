import { createDecipheriv, createECDH, hkdfSync } from 'node:crypto'
import { hubKey } from '../../auth/hub-key.ts'
import type { RandomBytes } from '../../core/ports.ts'
import type { Store } from '../../core/store.ts'
import { refuse } from './refuse.ts'

/** How long a key is the newest, and how long it is good after that: for what was sealed with it and is on its way. */
const WINDOW_MS = 86_400_000
const LATE_MS = 8_100_000
/** Devices whose public keys are kept, over all accounts; one more takes the oldest's place. */
const MAX_KEPT = 10_000

const CURVE = 'prime256v1'
/** How many points P-256 has: private keys are below. @see NIST SP 800-186, 3.2.1.3 */
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
/** What stands before the 65 bytes of a point in a public key of P-256, as SPKI in DER. @see RFC 5480 */
const SPKI = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')
const POINT_BYTES = 65
const CIPHER = 'aes-128-gcm'
const [KEY_BYTES, IV_BYTES, TAG_BYTES] = [16, 12, 16] as const

/** A device's public key as it is told. */
export interface DeviceKey {
  /** Its version, which is another one for each key. */
  readonly v: string
  /** SPKI in DER, in Base64. */
  readonly k: string
}

/**
 * Keys that devices seal new passwords for: one for each device and day of UTC. None is stored: each comes from a key of the hub's own, the device's id and the day, so that
 * a restart changes none, and with another store all are others.
 */
export class DeviceKeys {
  readonly #secret: Uint8Array
  readonly #newest = new Map<string, DeviceKey & { readonly day: number }>()

  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  static async open(store: Store, randomBytes: RandomBytes): Promise<DeviceKeys> {
    return new DeviceKeys(await hubKey(store, 'timelimit-device-keys', randomBytes))
  }

  /** A device's newest key. */
  newest(device: string, nowMs: number): DeviceKey {
    const day = Math.floor(nowMs / WINDOW_MS)
    const known = this.#newest.get(device)
    if (known?.day === day) return known
    const { version, scalar } = this.#derive(device, day)
    const ecdh = createECDH(CURVE)
    ecdh.setPrivateKey(scalar)
    const key = { day, v: version, k: Buffer.concat([SPKI, ecdh.getPublicKey()]).toString('base64') }
    if (known === undefined && this.#newest.size >= MAX_KEPT) this.#newest.delete(this.#newest.keys().next().value!)
    this.#newest.set(device, key)
    return key
  }

  /**
   * What was sealed for a device's key.
   * @param sealed three parts with dots between them: in Base64 12 bytes to start from, the sealed text and its tag of 16 bytes; in Base64 the sender's own public key; and the version of the device's
   * @param about what it was sealed with beside that, in ASCII
   * @throws HubError `bad-action` when it is not of this form, was not sealed so, or the key is no longer good
   */
  unseal(device: string, nowMs: number, sealed: string, about: string): string {
    const [text = '', key = '', version = '', ...more] = sealed.split('.')
    const [bytes, theirs] = [Buffer.from(text, 'base64'), Buffer.from(key, 'base64')]
    const isPoint = theirs.length === SPKI.length + POINT_BYTES && theirs.subarray(0, SPKI.length).equals(SPKI)
    if (more.length > 0 || bytes.length < IV_BYTES + TAG_BYTES || !isPoint) refuse('bad-action', 'the password is not sealed')
    const scalar = this.#scalarOf(device, nowMs, version) ?? refuse('bad-action', 'the password is sealed for another key')
    try {
      const ecdh = createECDH(CURVE)
      ecdh.setPrivateKey(scalar)
      const shared = ecdh.computeSecret(theirs.subarray(SPKI.length))
      const cipher = createDecipheriv(CIPHER, shared.subarray(0, KEY_BYTES), bytes.subarray(0, IV_BYTES))
      cipher.setAuthTag(bytes.subarray(-TAG_BYTES)).setAAD(Buffer.from(about, 'latin1'))
      return cipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'latin1') + cipher.final('latin1')
    } catch {
      // No point of the curve, or sealed with something else.
      return refuse('bad-action', 'the password is sealed with something else')
    }
  }

  /** The private key of this version, if it is the newest or was it not long ago. */
  #scalarOf(device: string, nowMs: number, version: string): Buffer | undefined {
    const day = Math.floor(nowMs / WINDOW_MS)
    const isLateGood = nowMs - day * WINDOW_MS < LATE_MS
    const days = isLateGood ? [day, day - 1] : [day]
    return days.map(of => this.#derive(device, of)).find(key => key.version === version)?.scalar
  }

  #derive(device: string, day: number): { version: string; scalar: Buffer } {
    for (let round = 0; ; round++) {
      const about = `device key\n${device}\n${day}\n${round}`
      const bytes = Buffer.from(hkdfSync('sha256', this.#secret, '', about, ORDER.length + 4))
      const scalar = bytes.subarray(0, ORDER.length)
      const isKey = scalar.compare(ORDER) < 0 && scalar.some(byte => byte !== 0)
      if (isKey) return { version: bytes.toString('hex', ORDER.length), scalar }
    }
  }
}
