import { KEPT_CHANGES, Readers } from '../../../server/core/readers.ts'
import { patched } from './patched.ts'

/**
 * Lets hubs of this process keep so few changes for clients that they do not know of, until the returned function is called: small worlds have not the
 * thousand that they really keep.
 */
export const keepingOnly = (changes: number): (() => void) =>
  patched(
    Readers.prototype,
    'floor',
    floor =>
      function (this: Readers, head, nowMs) {
        return floor.call(this, head + KEPT_CHANGES - changes, nowMs)
      }
  )
