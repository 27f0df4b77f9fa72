import type { FolderMirror } from './mirror.ts'
import type { StepKind } from './plan.ts'
import type { Progress } from './progress.ts'

const WORDS: Partial<Record<StepKind, string>> = {
  part: 'two versions of',
  'move-here': 'moved here',
  'move-there': 'moved at the hub',
  'remove-here': 'removed here',
  'remove-there': 'removed at the hub',
  give: 'sent',
  take: 'got'
}

const BAR_WIDTH = 24
const REDRAW_MS = 100

/** Tells a person what a mirror does: a line for each step and, on a terminal, a bar for what is under way. */
export class Teller {
  readonly #out: NodeJS.WriteStream
  readonly #isTerminal: boolean
  #bar = ''
  #drawnAtMs = 0
  #wasSame = false

  constructor(mirror: FolderMirror, out: NodeJS.WriteStream) {
    this.#out = out
    this.#isTerminal = out.isTTY
    mirror.on('step', (kind, path) => this.#line(`${WORDS[kind]} ${path}`))
    mirror.on('problem', (path, text) => this.#line(`not synced: ${path}: ${text}`))
    mirror.on('held', count => {
      if (count > 0)
        this.#line(
          `${count} files are gone here, which is most of them: nothing is removed at the hub. If that is meant, run once with --remove-many`
        )
    })
    mirror.on('progress', progress => this.#progress(progress))
    mirror.on('same', () => {
      const isAll = mirror.problems.size + mirror.heldCount === 0
      if (!this.#wasSame) this.#line(`All ${isAll ? '' : 'else '}is the same here and at the hub.`)
      this.#wasSame = true
    })
  }

  /** A line of its own. */
  say(text: string): void {
    this.#clear()
    this.#out.write(`${text}\n`)
    this.#out.write(this.#bar)
  }

  /** Takes the bar away. */
  end(): void {
    this.#clear()
    this.#bar = ''
  }

  #line(text: string): void {
    this.#wasSame = false
    // What a name holds may not move the cursor, or look like another line.
    this.say(text.replaceAll(/\p{Cc}/gu, '?'))
  }

  #progress({ doneFiles, files, doneBytes, bytes }: Progress): void {
    if (!this.#isTerminal) return
    const isEnd = files === 0
    if (!isEnd && Date.now() - this.#drawnAtMs < REDRAW_MS) return
    this.#drawnAtMs = Date.now()
    this.#clear()
    const share = bytes === 0 ? doneFiles / Math.max(1, files) : doneBytes / bytes
    const full = Math.min(BAR_WIDTH, Math.floor(share * BAR_WIDTH))
    this.#bar = isEnd
      ? ''
      : `[${'#'.repeat(full).padEnd(BAR_WIDTH, '.')}] ${doneFiles} of ${files} files, ${megabytes(doneBytes)} of ${megabytes(bytes)} MB`
    this.#out.write(this.#bar)
  }

  #clear(): void {
    if (this.#isTerminal && this.#bar !== '') this.#out.write('\r\u001b[K')
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
