/** What makes `last` into `next`: at `start`, `deleted` UTF-16 code units go and `inserted` comes. */
export interface TextDifference {
  readonly start: number
  readonly deleted: number
  readonly inserted: string
}

/**
 * The one place where two texts differ, so that a note can be changed there and others' typing in the rest of it stays.
 * Halves of a surrogate pair stay together: Yjs would make two unknown characters of a pair that is parted.
 */
export function textDifference(last: string, next: string): TextDifference {
  const most = Math.min(last.length, next.length)
  let start = 0
  while (start < most && last[start] === next[start]) start += 1
  if (start > 0 && isHighSurrogate(last, start - 1)) start -= 1
  let tail = 0
  while (tail < most - start && last[last.length - 1 - tail] === next[next.length - 1 - tail]) tail += 1
  if (tail > 0 && (isHighSurrogate(last, last.length - tail - 1) || isHighSurrogate(next, next.length - tail - 1))) tail -= 1
  return { start, deleted: last.length - start - tail, inserted: next.slice(start, next.length - tail) }
}

const isHighSurrogate = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800
