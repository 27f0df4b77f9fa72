/** The first index of a sorted list at which `isBefore` is false, found by halves; its length when there is none. */
export function firstIndex(length: number, isBefore: (index: number) => boolean): number {
  let low = 0
  for (let high = length; low < high;) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}
