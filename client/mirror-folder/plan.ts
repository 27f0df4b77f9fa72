/** What one side has at a path. */
export interface Content {
  readonly sha256: string
}

/** The three sides of every path: what the folder has, what the hub has, and what both had when they were last the same. */
export interface Sides {
  readonly local: ReadonlyMap<string, Content>
  readonly base: ReadonlyMap<string, Content>
  readonly hub: ReadonlyMap<string, Content>
  /** True for a path of which nobody can say now what the folder has: it is left as it is. */
  isUnknown(path: string): boolean
}

/** One thing to do so that both sides become the same. Each is right whether or not those before it were done. */
export type Step =
  /** Both have it: it becomes the base. */
  | { readonly kind: 'join'; readonly path: string; readonly sha256: string }
  /** Neither has it any more. */
  | { readonly kind: 'forget'; readonly path: string }
  /** Both changed it: what is here goes to a name of its own, and is a new file from then on. */
  | { readonly kind: 'part'; readonly path: string; readonly sha256: string }
  /** The hub gave the file another path. */
  | { readonly kind: 'move-here'; readonly path: string; readonly from: string; readonly sha256: string }
  /** The file was given another path here. */
  | { readonly kind: 'move-there'; readonly path: string; readonly from: string; readonly sha256: string }
  /** The hub has it no more: what is here is set aside. */
  | { readonly kind: 'remove-here'; readonly path: string; readonly sha256: string }
  /** It was removed here. `sha256` is what the hub has there. */
  | { readonly kind: 'remove-there'; readonly path: string; readonly sha256: string }
  /** It is new here, or was changed. `base` is what the hub has there. */
  | { readonly kind: 'give'; readonly path: string; readonly sha256: string; readonly base?: string }
  /** It is new at the hub, or was changed. `had` is what is here. */
  | { readonly kind: 'take'; readonly path: string; readonly sha256: string; readonly had?: string }

export type StepKind = Step['kind']

/** The order of doing: a name is free before another file gets it. */
const STEP_ORDER: readonly StepKind[] = [
  'join',
  'forget',
  'part',
  'move-here',
  'remove-here',
  'move-there',
  'remove-there',
  'give',
  'take'
]

/** Fewer removals than this are believed, unless nothing is left. */
const FEW = 20

export interface Plan {
  readonly steps: readonly Step[]
  /** Removals that are not done, because so many at once look like a folder that is not there: a disk that was not mounted, a wrong folder. */
  readonly held: readonly Step[]
}

/**
 * What is to be done so that the folder and the hub become the same. Each path is decided by itself, from its three sides:
 * who changed nothing since the base gets what the other has; who both changed it keep both.
 *
 * @param allowsManyRemovals a person said that they are meant
 */
export function planFolder(sides: Sides, allowsManyRemovals = false): Plan {
  const steps: Step[] = []
  const paths = new Set([...sides.local.keys(), ...sides.base.keys(), ...sides.hub.keys()])
  for (const path of paths) {
    if (sides.isUnknown(path)) continue
    const step = stepFor(path, sides.local.get(path)?.sha256, sides.base.get(path)?.sha256, sides.hub.get(path)?.sha256)
    if (step !== undefined) steps.push(step)
  }
  const moved = withMoves(withMoves(steps, 'remove-there', 'give', 'move-there'), 'remove-here', 'take', 'move-here')
  moved.sort((left, right) => STEP_ORDER.indexOf(left.kind) - STEP_ORDER.indexOf(right.kind))
  const removals = moved.filter(({ kind }) => kind === 'remove-there')
  const isEmpty = sides.local.size === 0 && removals.length > 1
  const isMost = removals.length >= FEW && removals.length * 2 > sides.base.size
  if (allowsManyRemovals || !(isEmpty || isMost)) return { steps: moved, held: [] }
  return { steps: moved.filter(({ kind }) => kind !== 'remove-there'), held: removals }
}

function stepFor(path: string, local: string | undefined, base: string | undefined, hub: string | undefined): Step | undefined {
  if (local === hub) {
    if (local === base) return undefined
    return local === undefined ? { kind: 'forget', path } : { kind: 'join', path, sha256: local }
  }
  // Nothing was changed here, or what was here was removed while the hub got something newer.
  if (hub !== undefined && (local === base || local === undefined) && hub !== base)
    return { kind: 'take', path, sha256: hub, ...(local !== undefined && { had: local }) }
  if (hub === undefined && local === base) return { kind: 'remove-here', path, sha256: local! }
  if (local === undefined) return { kind: 'remove-there', path, sha256: hub! }
  if (hub === undefined) return { kind: 'give', path, sha256: local }
  if (hub === base) return { kind: 'give', path, sha256: local, base: hub }
  return { kind: 'part', path, sha256: local }
}

/** Of one content that goes at one path and comes at another, makes a move. Several of the same content are paired in the order of their paths. */
function withMoves(
  steps: readonly Step[],
  goes: 'remove-there' | 'remove-here',
  comes: 'give' | 'take',
  kind: 'move-there' | 'move-here'
): Step[] {
  const gone = new Map<string, string[]>()
  for (const step of steps) {
    if (step.kind !== goes) continue
    const paths = gone.get(step.sha256)
    if (paths === undefined) gone.set(step.sha256, [step.path])
    else paths.push(step.path)
  }
  if (gone.size === 0) return [...steps]
  for (const paths of gone.values()) paths.sort().reverse()
  const left = new Set<string>()
  const moves: Step[] = []
  const others = steps.filter(step => {
    const isNew = step.kind === comes && (step.kind === 'give' ? step.base : step.kind === 'take' ? step.had : '') === undefined
    const from = isNew ? gone.get(step.sha256)?.pop() : undefined
    if (from === undefined || !('sha256' in step)) return true
    left.add(from)
    moves.push({ kind, path: step.path, from, sha256: step.sha256 })
    return false
  })
  return [...others.filter(step => step.kind !== goes || !left.has(step.path)), ...moves]
}
