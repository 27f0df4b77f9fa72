import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { hubProgram } from './hub-program.ts'

/** A folder's mirror in a process of its own, started and killed as a power cut would. */
export class MirrorProcess {
  readonly folder: string
  /** What it has said, in all its lives. */
  output = ''
  readonly #token: string
  #child: ChildProcess | undefined

  constructor(folder: string, token: string) {
    this.folder = folder
    this.#token = token
  }

  /** Begins a new life; the process may not have mirrored anything yet. */
  start(hub: string, words: object = {}): void {
    const main = join(hubProgram(), '../../client/mirror-folder/main.js')
    const child = spawn(process.execPath, [main, JSON.stringify({ folder: this.folder, hub, ...words })], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, LECTERN_TOKEN: this.#token }
    })
    this.#child = child
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
  }

  /** What it ended with, by itself; undefined while it runs. */
  get ended(): number | string | undefined {
    return this.#child?.exitCode ?? this.#child?.signalCode ?? undefined
  }

  /** Ends the process. @returns its exit code, null after SIGKILL */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.#child
    if (child === undefined || this.ended !== undefined) return child?.exitCode ?? null
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
    return child.exitCode
  }

  /** Waits for it to end by itself. @returns its exit code */
  async done(): Promise<number | null> {
    if (this.ended === undefined) await once(this.#child!, 'exit')
    return this.#child!.exitCode
  }
}
