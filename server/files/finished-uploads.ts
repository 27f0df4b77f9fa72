import type { UploadName } from './upload-record.ts'
import { UPLOAD_LIMITS } from './upload-request.ts'

export type FinishedUpload = UploadName & { readonly expiresAtMs: number }

/** Whose outcome can still be asked for: the latest of each account. Known by name here, so that nobody has to go through all records to let go of some. */
export class FinishedUploads {
  /** By account and id, when it is let go of; the oldest first. */
  readonly #known = new Map<string, Map<string, number>>()

  /** @returns the one that makes room for it, where there are too many */
  add({ account, id, expiresAtMs }: FinishedUpload): UploadName | undefined {
    const known = this.#known.get(account) ?? new Map<string, number>()
    this.#known.set(account, known.set(id, expiresAtMs))
    if (known.size <= UPLOAD_LIMITS.maxFinishedPerAccount) return undefined
    const [oldest] = known.keys()
    known.delete(oldest!)
    return { account, id: oldest! }
  }

  /** Forgets those whose time is over. @returns their names */
  takeExpired(nowMs: number): UploadName[] {
    const expired: UploadName[] = []
    for (const [account, known] of this.#known) {
      for (const [id, expiresAtMs] of known) {
        if (expiresAtMs > nowMs) continue
        expired.push({ account, id })
        known.delete(id)
      }
      if (known.size === 0) this.#known.delete(account)
    }
    return expired
  }
}
