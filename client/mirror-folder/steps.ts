import { look, type Disk } from './disk.ts'
import type { Files, LocalChange, Reported } from '../files.ts'
import type { HubFiles } from './hub-files.ts'
import type { Step, StepKind } from './plan.ts'
import type { LocalFile } from './scan.ts'
import type { MirrorState } from './state.ts'
import type { Transfers } from './transfers.ts'

export type StepOf<K extends StepKind> = Extract<Step, { readonly kind: K }>

/** What both sides are, while a plan is carried out. */
export interface Sight {
  readonly disk: Disk
  readonly state: MirrorState
  readonly hub: HubFiles
  readonly files: Files
  readonly transfers: Transfers
  readonly local: Map<string, LocalFile>
  readonly signal: AbortSignal
  /** What stands in the name of a copy. */
  readonly note: string
}

/**
 * Does what only the folder is concerned by.
 * @throws ChangedMeanwhile when the folder is not as it was; what the disk throws
 */
export async function doHere(
  sight: Sight,
  step: StepOf<'join' | 'forget' | 'part' | 'move-here' | 'remove-here'>
): Promise<void> {
  const { disk, state, local } = sight
  const { path } = step
  if (step.kind === 'forget') return state.delete(path)
  if (step.kind === 'join') return state.set(path, { sha256: step.sha256, stamp: local.get(path)!.stamp })
  const from = local.get(step.kind === 'move-here' ? step.from : path)!
  if (step.kind === 'part') await disk.moveBeside(path, from.place, from.stamp, sight.note)
  else if (step.kind === 'remove-here') {
    await disk.setAside(path, from.place, from.stamp)
    state.delete(path)
  } else {
    const place = disk.placeOf(path)
    const stamp = await disk.move(from.path, from.place, from.stamp, path)
    state.delete(from.path)
    state.set(path, { sha256: step.sha256, stamp })
    local.set(path, { ...from, path, place, stamp })
  }
  local.delete(from.path)
}

/** Puts at a path what the hub has there. @throws ChangedMeanwhile; what `Transfers.download` throws, and the disk */
export async function take(sight: Sight, { path, sha256 }: StepOf<'take'>): Promise<void> {
  const { disk, state, local, hub, transfers } = sight
  const file = hub.files.get(path)
  // Something newer is there by now: the next plan takes that.
  if (file?.sha256 !== sha256) return
  const had = local.get(path)
  const finished = await transfers.download(path, file)
  const place = had?.place ?? disk.placeOf(path)
  const stamp = await disk.put(finished, path, place, had?.stamp)
  // Whoever changed it since, or took it away, did so with what the hub has: the next look tells.
  state.set(path, { sha256, stamp })
  local.set(path, { path, place, sha256, stamp, sizeBytes: file.sizeBytes, mtimeMs: file.mtimeMs ?? Date.now() })
}

/** Puts a file at the hub whose bytes it lacks. @returns true when the hub keeps both sides, because another device was faster */
export async function upload({ state, local, hub, transfers }: Sight, { path, base }: StepOf<'give'>): Promise<boolean> {
  const file = local.get(path)
  if (file === undefined) return false
  const { cursor, conflict } = await transfers.upload(file, base)
  if (conflict !== undefined) {
    hub.doubt()
    return true
  }
  const { sha256, stamp, sizeBytes, mtimeMs } = file
  hub.put(path, { sha256, sizeBytes, mtimeMs }, cursor)
  state.set(path, { sha256, stamp })
  return false
}

type Thereward = StepOf<'move-there' | 'remove-there' | 'give'>

/** What became of a step that was reported. */
export interface Told {
  readonly step: Thereward
  readonly reported: Reported
}

/**
 * Tells the hub what was done in the folder, all at once. Nothing of it is believed by a folder that is gone meanwhile.
 * @throws FolderGone; what `Files.report` throws
 */
export async function tell(sight: Sight, steps: readonly Thereward[]): Promise<Told[]> {
  const { disk, state, hub, files, local, signal } = sight
  // What came back since is no removal.
  const still = steps.filter(
    step => step.kind === 'give' || look(disk.placeOf(step.kind === 'move-there' ? step.from : step.path)) === undefined
  )
  await state.mustBeThere()
  const reports = await files.report(
    still.map(step => changeOf(step, local)),
    signal
  )
  return still.map((step, index) => {
    const reported = reports[index]!
    const { result, cursor } = reported
    const file = local.get(step.path)
    if (result === 'accepted' && cursor !== undefined) {
      // What others made of the source meanwhile is there still.
      if (step.kind === 'move-there') hub.doubt()
      hub.put(step.path, step.kind === 'remove-there' || file === undefined ? undefined : contentOf(file), cursor)
    }
    if (result === 'accepted') {
      if (step.kind === 'move-there') state.delete(step.from)
      if (step.kind === 'remove-there') state.delete(step.path)
      else if (file !== undefined) state.set(step.path, { sha256: step.sha256, stamp: file.stamp })
    } else if (result !== 'upload_required') hub.doubt()
    return { step, reported }
  })
}

function changeOf(step: Thereward, local: ReadonlyMap<string, LocalFile>): LocalChange {
  const { path, sha256 } = step
  if (step.kind === 'remove-there') return { change: 'deleted', path, base: sha256 }
  const content = contentOf(local.get(path)!)
  if (step.kind === 'move-there') return { change: 'moved', path, from: step.from, base: sha256, ...content }
  return step.base === undefined
    ? { change: 'created', path, ...content }
    : { change: 'modified', path, base: step.base, ...content }
}

const contentOf = ({ sha256, sizeBytes, mtimeMs }: LocalFile): { sha256: string; sizeBytes: number; mtimeMs: number } => ({
  sha256,
  sizeBytes,
  mtimeMs
})
