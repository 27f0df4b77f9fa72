import { hostname } from 'node:os'
import { ERRORS, HubError } from '../../protocol/index.ts'
import type { Client } from '../client.ts'
import { Emitter } from '../emitter.ts'
import { ChangedMeanwhile, Disk } from './disk.ts'
import { isOffline, OwnConflicts } from './conflicts.ts'
import { HubFiles } from './hub-files.ts'
import { inLanes } from './lanes.ts'
import { planFolder, type Step, type StepKind } from './plan.ts'
import { TransferCount, type Progress } from './progress.ts'
import { isUnknownIn, scanFolder, type Scan } from './scan.ts'
import { FolderGone, MirrorState } from './state.ts'
import { doHere, take, tell, upload, type Sight, type StepOf, type Told } from './steps.ts'
import { Transfers } from './transfers.ts'
import { FolderWatch } from './watch.ts'

export interface FolderMirrorOptions {
  readonly root: string
  /** Its storage SHOULD be kept in the folder: one process at a time mirrors it. */
  readonly client: Client
  /** A file whose last change is younger is still being written. @default 1_500 */
  readonly settleMs?: number
  /** Removing most of the folder's files is meant. */
  readonly allowsManyRemovals?: boolean
}

/** What a mirror tells those who listen. */
export interface FolderMirrorEvents {
  /** Something was done. */
  step: [kind: StepKind, path: string]
  /** Transfers began, went on or ended. */
  progress: [progress: Progress]
  /** A path that could not be synced; told once, until it is another problem. */
  problem: [path: string, text: string]
  /** Both sides are the same, as far as anyone knows. */
  same: []
  /** So many removals were not done, because they look like a folder that is not there. */
  held: [count: number]
}

/** Transfers at once. */
const LANES = 4
/** News come in bursts. */
const GATHER_MS = 200
/** How often the whole folder is looked through, whatever the watch says. */
const RESCAN_EVERY_MS = 60_000
const SAVE_EVERY_MS = 2_000
const RETRY_MS = { first: 1_000, most: 30_000 } as const
const KEPT_DAYS = 30
/** How often a file may be given the time to settle before removals go on without it. */
const SETTLES_AT_MOST = 10
/** Rounds in a row in which nothing could be done, before it waits for something to change. */
const FRUITLESS_ROUNDS = 3
const TIDY_EVERY_MS = 3_600_000
/** A file that never settles does not keep a single run from ending. */
const MOST_ROUNDS = 200

/** Keeps a folder the same as an account's files, both ways. */
export class FolderMirror {
  readonly #options: FolderMirrorOptions
  readonly #client: Client
  readonly #state: MirrorState
  readonly #disk: Disk
  readonly #hub: HubFiles
  readonly #conflicts: OwnConflicts
  readonly #watch: FolderWatch
  readonly #transfers: Transfers
  readonly #events = new Emitter<FolderMirrorEvents>()
  readonly #ending = new AbortController()
  readonly #problems = new Map<string, string>()
  readonly #count = new TransferCount(progress => this.#events.emit('progress', progress))
  /** Steps of this round that did not go well, and why. */
  readonly #failed = new Map<string, string>()
  #fruitless = 0
  #movingSinceMs = 0
  #scan: Scan | undefined
  #isLocalNew = true
  #isNews = true
  #wake: () => void = () => undefined
  #heldCount = 0
  #savedAtMs = 0
  #tidiedAtMs = 0

  private constructor(options: FolderMirrorOptions, state: MirrorState) {
    this.#options = options
    this.#client = options.client
    this.#state = state
    this.#disk = new Disk(options.root)
    this.#hub = new HubFiles(options.client, () => this.#rouse())
    this.#conflicts = new OwnConflicts(options.client)
    this.#watch = new FolderWatch(() => {
      this.#isLocalNew = true
      this.#rouse()
    })
    this.#transfers = new Transfers({
      root: options.root,
      files: options.client.files,
      signal: this.#ending.signal,
      onBytes: (path, doneBytes) => this.#count.moved(path, doneBytes)
    })
  }

  /** @throws what the disk throws */
  static async open(options: FolderMirrorOptions): Promise<FolderMirror> {
    const mirror = new FolderMirror(options, await MirrorState.open(options.root))
    await mirror.#transfers.open()
    return mirror
  }

  /** Calls `listener` at every `event` from now on, until the returned function is called. */
  on<K extends keyof FolderMirrorEvents>(event: K, listener: (...details: FolderMirrorEvents[K]) => void): () => void {
    return this.#events.on(event, listener)
  }

  /** Paths that could not be synced, and why; and how many removals were not done. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems
  }

  get heldCount(): number {
    return this.#heldCount
  }

  /**
   * Makes both sides the same, and resolves.
   * @throws HubError when the hub lets this device in no more; FolderGone; NoConnectionError, OfflineError
   */
  async once(): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      await this.#client.live()
      const isDone = await this.#round()
      if (this.#ending.signal.aborted) return
      if (isDone && !(this.#scan?.isMoving ?? false)) return
      if (isDone) await this.#pause(this.#settleMs)
    }
  }

  /**
   * Keeps both sides the same until `stop`.
   * @throws HubError when the hub lets this device in no more; FolderGone; what the disk throws that makes going on senseless
   */
  async run(): Promise<void> {
    let failures = 0
    while (!this.#ending.signal.aborted) {
      try {
        await this.#client.live()
        this.#isNews = false
        const isDone = await this.#round()
        failures = 0
        if (!isDone) continue
        await this.#news(this.#scan?.isMoving === true ? this.#settleMs : RESCAN_EVERY_MS)
      } catch (error) {
        if (this.#ending.signal.aborted) return
        if (!isPassingHere(error)) throw error
        failures += 1
        this.#hub.doubt()
        await this.#pause(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(failures - 1, 10)))
      }
    }
  }

  /** Ends what is under way; resolves when what is known is on disk. */
  async stop(): Promise<void> {
    this.#ending.abort(new Stopped())
    this.#wake()
    this.#watch.close()
    this.#hub.close()
    await this.#state.save().catch((error: unknown) => {
      // Then nothing is known that could be kept, or be missed.
      if (!(error instanceof FolderGone)) throw error
    })
  }

  get #settleMs(): number {
    return this.#options.settleMs ?? 1_500
  }

  /** One look at both sides, and what follows from it. @returns true when there was nothing to do that can be done now */
  async #round(): Promise<boolean> {
    const { signal } = this.#ending
    await this.#state.mustBeThere()
    await this.#hub.refresh()
    this.#state.follow(this.#client.epoch)
    const scan = await this.#look()
    const { steps: all, held } = planFolder(
      { local: scan.files, base: this.#state.base, hub: this.#hub.files, isUnknown: path => isUnknownIn(scan, path) },
      this.#options.allowsManyRemovals
    )
    const steps = this.#isMovingLately(scan) ? all.filter(({ kind }) => kind !== 'remove-there') : all
    if (held.length !== this.#heldCount) this.#events.emit('held', held.length)
    this.#heldCount = held.length
    this.#forgetSolved(steps)
    this.#failed.clear()
    const done = await this.#carryOut(steps, scan)
    await this.#state.save()
    signal.throwIfAborted()
    if (steps.length === 0) {
      if (this.#isLocalNew) return false
      if (scan.isMoving) return true
      if (await this.#conflicts.end()) {
        this.#hub.doubt()
        return false
      }
      await this.#tidy()
      this.#events.emit('same')
      return true
    }
    this.#fruitless = done === 0 ? this.#fruitless + 1 : 0
    if (this.#fruitless < FRUITLESS_ROUNDS) return false
    for (const [path, text] of this.#failed) this.#problem(path, text)
    return true
  }

  /** A file that is gone may be the one that just came elsewhere, and is not looked at yet. One that never settles does not keep removals waiting for ever. */
  #isMovingLately({ isMoving }: Scan): boolean {
    if (!isMoving) this.#movingSinceMs = 0
    else this.#movingSinceMs ||= Date.now()
    return isMoving && Date.now() - this.#movingSinceMs < SETTLES_AT_MOST * this.#settleMs
  }

  /** What the folder holds, looked through anew when it may be different. */
  async #look(): Promise<Scan> {
    const before = this.#scan
    if (before !== undefined && !this.#isLocalNew && !before.isMoving) return before
    this.#isLocalNew = false
    const scan = await scanFolder(this.#options.root, {
      known: path => before?.files.get(path) ?? this.#state.base.get(path),
      settleMs: this.#settleMs,
      signal: this.#ending.signal
    })
    // Unmounted while it was walked, it looks empty.
    await this.#state.mustBeThere()
    this.#scan = scan
    this.#disk.learn(scan.spelled)
    if (this.#watch.follow(scan.folders)) this.#isLocalNew = true
    for (const [path, text] of scan.problems) this.#problem(path, text)
    return scan
  }

  /** @returns how many steps were done */
  async #carryOut(steps: readonly Step[], scan: Scan): Promise<number> {
    const sight: Sight = {
      disk: this.#disk,
      state: this.#state,
      hub: this.#hub,
      files: this.#client.files,
      transfers: this.#transfers,
      local: scan.files,
      signal: this.#ending.signal,
      note: `${this.#client.devices.get(this.#client.device)?.name ?? hostname()}, ${new Date().toISOString().slice(0, 10)}`
    }
    let done = 0
    const attempt = async (step: Step, work: () => Promise<unknown>): Promise<void> => {
      if (await this.#attempt(step, work)) done += 1
    }
    const transfer = async (step: Step, work: () => Promise<unknown>): Promise<void> => {
      await attempt(step, work)
      this.#count.finished()
    }
    const here: Step[] = []
    const there: Parameters<typeof tell>[1][number][] = []
    const takes: StepOf<'take'>[] = []
    for (const step of steps) {
      if (step.kind === 'take') takes.push(step)
      else if (step.kind === 'give' || step.kind === 'move-there' || step.kind === 'remove-there') there.push(step)
      else here.push(step)
    }
    // While the gap that a parting leaves is known by no disk, a kill would let it look like a removal of what the hub has by then.
    for (const { kind, path } of here) if (kind === 'part') this.#state.delete(path)
    const isSaved = await this.#state.save()
    for (const step of here as Parameters<typeof doHere>[1][])
      if (isSaved || step.kind !== 'part') await attempt(step, () => doHere(sight, step))
      else this.#failed.set(step.path, 'the disk is full')
    // What the hub does not have yet goes there; the rest of what was told is done.
    const gives: StepOf<'give'>[] = []
    if (there.length > 0)
      for (const { step, reported } of await this.#tell(sight, there)) {
        const { result, code = '', detail = '' } = reported
        if (result === 'upload_required' && step.kind === 'give') gives.push(step)
        else if (result === 'upload_required') this.#hub.doubt()
        else if (result === 'refused') this.#refused(step.path, code, detail)
        else if (result === 'conflict') this.#failed.set(step.path, 'the hub keeps two versions of it')
        else {
          done += 1
          if (result === 'accepted') this.#told(step)
        }
      }
    this.#count.begin([
      ...gives.map(({ path }) => [path, scan.files.get(path)?.sizeBytes ?? 0] as const),
      ...takes.map(({ path }) => [path, this.#hub.files.get(path)?.sizeBytes ?? 0] as const)
    ])
    await Promise.all([
      inLanes(gives, LANES, step => transfer(step, () => upload(sight, step))),
      inLanes(takes, LANES, step => transfer(step, () => take(sight, step)))
    ])
    this.#count.begin([])
    return done
  }

  /** A device that may only read gets what comes, and is told of each file that it keeps to itself. */
  async #tell(sight: Sight, steps: Parameters<typeof tell>[1]): Promise<Told[]> {
    try {
      return await tell(sight, steps)
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'forbidden') throw error
      for (const { path } of steps) this.#problem(path, error.message)
      return []
    }
  }

  /** @returns true when it was done. @throws what ends the round */
  async #attempt(step: Step, work: () => Promise<unknown>): Promise<boolean> {
    this.#ending.signal.throwIfAborted()
    try {
      await work()
      this.#told(step)
      if (Date.now() - this.#savedAtMs > SAVE_EVERY_MS) {
        this.#savedAtMs = Date.now()
        await this.#state.save()
      }
      return true
    } catch (error) {
      if (this.#ending.signal.aborted || error instanceof FolderGone || isOffline(error)) throw error
      // Something else is there by now, on one side or the other: it is looked at again.
      this.#isLocalNew = true
      this.#hub.doubt()
      this.#failed.set(step.path, (error as Error).message)
      if (!(error instanceof ChangedMeanwhile)) this.#problem(step.path, (error as Error).message)
      return false
    }
  }

  #refused(path: string, code: string, detail: string): void {
    if (code === 'base-changed' || code === 'not-found') this.#hub.doubt()
    this.#problem(path, detail === '' ? code : detail)
  }

  #told(step: Step): void {
    this.#problems.delete(step.path)
    // The copy of a conflict has a name that only a look can tell.
    if (step.kind === 'part') this.#isLocalNew = true
    if (step.kind !== 'join' && step.kind !== 'forget') this.#events.emit('step', step.kind, step.path)
  }

  #problem(path: string, text: string): void {
    if (this.#problems.get(path) === text) return
    this.#problems.set(path, text)
    this.#events.emit('problem', path, text)
  }

  #forgetSolved(steps: readonly Step[]): void {
    const open = new Set(steps.map(({ path }) => path))
    for (const path of this.#problems.keys())
      if (!open.has(path) && !(this.#scan?.problems.has(path) ?? false)) this.#problems.delete(path)
  }

  /** What is only done when all is quiet: leftovers of this mirror, at the hub and in the folder. */
  async #tidy(): Promise<void> {
    if (Date.now() - this.#tidiedAtMs < TIDY_EVERY_MS) return
    this.#tidiedAtMs = Date.now()
    await this.#transfers.tidy()
    await this.#disk.forgetAside(KEPT_DAYS)
  }

  #rouse(): void {
    this.#isNews = true
    this.#wake()
  }

  /** Resolves when there are news, or after `mostMs` with a look at the whole folder to come. */
  async #news(mostMs: number): Promise<void> {
    if (!this.#isNews) {
      await this.#pause(mostMs)
      if (!this.#isNews) this.#isLocalNew = true
    }
    if (!this.#ending.signal.aborted) await new Promise(resolve => setTimeout(resolve, GATHER_MS))
  }

  /** Resolves after a while, or when something happens. */
  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#ending.signal.aborted) this.#wake()
    })
  }
}

/** The mirror was asked to end. */
class Stopped extends Error {
  override readonly name = 'Stopped'
}

const isPassingHere = (error: unknown): boolean =>
  isOffline(error) || (error instanceof HubError && ERRORS[error.code].retry === 'backoff')
