import type { History } from '../history.ts'
import type { Inspection } from '../inspection.ts'
import { bounded } from './bounded.ts'
import { catchUp } from './catch-up.ts'
import { convergence } from './convergence.ts'
import { durable } from './durable.ts'
import { exactlyOnce } from './exactly-once.ts'
import { isolation } from './isolation.ts'
import { nothingVanishes } from './nothing-vanishes.ts'
import { oneOrder } from './one-order.ts'
import { sound } from './sound.ts'

/** Says how a history breaks the promise; undefined when it keeps it. `inspection` is missing when the world did not come to rest. */
export type Check = (history: History, inspection: Inspection | undefined) => string | undefined

/** The hub's promises, and one more: that nothing in it fails by itself. */
export const PROMISES = {
  durable,
  'exactly once': exactlyOnce,
  'one order': oneOrder,
  convergence,
  'catch-up': catchUp,
  'nothing vanishes': nothingVanishes,
  isolation,
  bounded,
  sound
} as const satisfies Record<string, Check>

export interface Violation {
  readonly promise: keyof typeof PROMISES
  readonly what: string
}
