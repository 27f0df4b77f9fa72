import { textDifference } from '../../../protocol/index.ts'

/**
 * Does to `theirs` what made `mine` of `base`: both were written on from `base`, neither knowing of the other. What either wrote is in the result; what either took away is not. Where both
 * wrote at one place, `mine` stands first.
 */
export function mergeText(base: string, mine: string, theirs: string): string {
  if (base === theirs) return mine
  if (mine === theirs || mine === base) return theirs
  const my = textDifference(base, mine)
  const their = textDifference(base, theirs)
  const [myEnd, theirEnd] = [my.start + my.deleted, their.start + their.deleted]
  const shift = their.inserted.length - their.deleted
  // What they took away I cannot take away again; what is left of mine lies before it, behind it, or both.
  const behind = Math.max(my.start, theirEnd)
  let text = theirs
  if (behind < myEnd) text = text.slice(0, behind + shift) + text.slice(myEnd + shift)
  const before = Math.min(myEnd, their.start)
  if (my.start < before) text = text.slice(0, my.start) + text.slice(before)
  const at = my.start <= their.start ? my.start : my.start >= theirEnd ? my.start + shift : their.start + their.inserted.length
  return text.slice(0, at) + my.inserted + text.slice(at)
}
