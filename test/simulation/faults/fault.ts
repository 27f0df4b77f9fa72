import type { Violation } from '../promises/index.ts'
import type { Plant } from '../run.ts'

/** A fault that somebody might make, and the promise that it breaks. */
export interface Fault {
  /** Said of the hub or the app: "it …". */
  readonly name: string
  readonly breaks: Violation['promise']
  /** Made anew for each run. */
  readonly plant: () => Plant
}

/** The same object, but for some of its methods. */
export function over<T extends object>(inner: T, own: Partial<T>): T {
  return new Proxy(inner, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof T]
      const value: unknown = Reflect.get(inner, name, inner)
      return typeof value === 'function' ? (value as (...given: unknown[]) => unknown).bind(inner) : value
    }
  })
}
