/** What is given replaces, nil clears, what is not given stays. */
export const mergeFields = (known: object, given: object): object =>
  Object.fromEntries(Object.entries({ ...known, ...given }).filter(([, value]) => value !== null))

/** Where a position comes from: what decides whether it counts. */
export interface PositionOrigin {
  readonly client: string
  readonly atMs: number
}

/**
 * A position replaces the device's last one, unless another outbox of the same device made it earlier: a tab that was
 * asleep does not take the reader back. Within one outbox the order of the actions is the truth, whatever its clock says.
 */
export const positionReplaces = (next: PositionOrigin, last: PositionOrigin | undefined): boolean =>
  last === undefined || last.client === next.client || next.atMs >= last.atMs

/** Two values that are written in the same way are the same; the order of a map's keys does not count. */
export function isSameValue(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (left instanceof Uint8Array && right instanceof Uint8Array)
    return left.length === right.length && left.every((byte, index) => byte === right[index])
  if (Array.isArray(left) !== Array.isArray(right) || left instanceof Uint8Array || right instanceof Uint8Array) return false
  const names = Object.keys(left)
  if (names.length !== Object.keys(right).length) return false
  return names.every(name => Object.hasOwn(right, name) && isSameValue((left as never)[name], (right as never)[name]))
}
