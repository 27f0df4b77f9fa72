/** What two texts that differ in more, or are longer by what they differ in, are compared by: one place each. It bounds the work to some milliseconds. */
const MAX_EDITS = 256
const MAX_STEPS = 500_000

/** What becomes of a text: the characters that go, and what comes before each, and behind the last. */
interface Edits {
  readonly gone: ReadonlySet<number>
  readonly come: ReadonlyMap<number, string>
}

/**
 * Does to `theirs` what made `mine` of `base`: both were written on from `base`, neither knowing of the other. What either wrote is in the result, and what either took away is not. Where both
 * wrote at one place, `mine` stands first; the same at the same place stands once.
 */
export function mergeText(base: string, mine: string, theirs: string): string {
  if (base === theirs) return mine
  if (mine === theirs || mine === base) return theirs
  // Whole characters: of a pair that is parted nothing could be made.
  const characters = Array.from(base)
  const [my, their] = [editsOf(characters, Array.from(mine)), editsOf(characters, Array.from(theirs))]
  let text = ''
  for (let at = 0; at <= characters.length; at++) {
    const [first = '', second = ''] = [my.come.get(at), their.come.get(at)]
    text += first === second ? first : first + second
    if (at < characters.length && !my.gone.has(at) && !their.gone.has(at)) text += characters[at]!
  }
  return text
}

/** What makes `next` of `last`. */
function editsOf(last: readonly string[], next: readonly string[]): Edits {
  let start = 0
  while (start < last.length && last[start] === next[start]) start += 1
  let tail = 0
  const most = Math.min(last.length, next.length) - start
  while (tail < most && last[last.length - 1 - tail] === next[next.length - 1 - tail]) tail += 1
  const [from, to] = [last.slice(start, last.length - tail), next.slice(start, next.length - tail)]
  const gone = new Set<number>()
  const come = new Map<number, string>()
  const pairs = commonOf(from, to)
  let [fromAt, toAt] = [0, 0]
  for (const [nextFrom, nextTo] of [...pairs, [from.length, to.length] as const]) {
    if (toAt < nextTo) come.set(start + fromAt, to.slice(toAt, nextTo).join(''))
    for (; fromAt < nextFrom; fromAt++) gone.add(start + fromAt)
    ;[fromAt, toAt] = [nextFrom + 1, nextTo + 1]
  }
  return { gone, come }
}

/**
 * The places of the characters that two texts have in common, with the fewest edits between them; none when there are too many. Each path goes as far as it can with so many edits.
 * @see Myers, An O(ND) Difference Algorithm and Its Variations (1986)
 */
function commonOf(from: readonly string[], to: readonly string[]): readonly (readonly [from: number, to: number])[] {
  const [width, height] = [from.length, to.length]
  const most = Math.min(MAX_EDITS, width + height, Math.floor(MAX_STEPS / (width + height + 1)))
  /** Of each number of edits: how far in `from` each diagonal got, by its number and `offset`. */
  const reached: Int32Array[] = []
  for (let edits = 0; edits <= most; edits++) {
    const before = reached[edits - 1]
    const now = new Int32Array(2 * edits + 1)
    reached.push(now)
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = before === undefined ? 0 : stepOf(before, edits, diagonal).x
      while (x < width && x - diagonal < height && from[x] === to[x - diagonal]) x += 1
      now[diagonal + edits] = x
      if (x >= width && x - diagonal >= height) return pathOf(reached, width, height)
    }
  }
  return []
}

/** Where a path begins its next edit: it lets a character of `from` go, or takes one of `to`. */
function stepOf(before: Int32Array, edits: number, diagonal: number): { x: number; from: number } {
  const furthest = (of: number): number => (Math.abs(of) <= edits - 1 ? before[of + edits - 1]! : -1)
  const [left, above] = [furthest(diagonal - 1), furthest(diagonal + 1)]
  return left >= 0 && left + 1 > above ? { x: left + 1, from: diagonal - 1 } : { x: above, from: diagonal + 1 }
}

function pathOf(reached: readonly Int32Array[], width: number, height: number): readonly (readonly [number, number])[] {
  const pairs: [number, number][] = []
  let diagonal = width - height
  let x = width
  for (let edits = reached.length - 1; edits >= 0; edits--) {
    const begin = edits === 0 ? { x: 0, from: 0 } : stepOf(reached[edits - 1]!, edits, diagonal)
    while (x > begin.x) {
      x -= 1
      pairs.push([x, x - diagonal])
    }
    if (edits === 0) break
    x = begin.from === diagonal - 1 ? begin.x - 1 : begin.x
    diagonal = begin.from
  }
  return pairs.reverse()
}
