import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callControl } from '../../server/control.ts'
import type { OperationName } from '../../server/operations.ts'
import { hubProgram } from './hub-program.ts'

/** A hub in a process of its own, on a temporary data folder, started and killed as an operator or a power cut would. */
export class HubProcess {
  readonly dataFolder: string
  url = ''
  /** What it says to whoever started it, this time. */
  printed = ''
  /** What it has logged, in all its lives. */
  output = ''
  #child: ChildProcess | undefined
  #port = 0

  /** @param dataFolder a new one by default */
  constructor(dataFolder = mkdtempSync(join(tmpdir(), 'lectern-'))) {
    this.dataFolder = dataFolder
  }

  get pid(): number {
    return this.#child!.pid!
  }

  /** Resolves once the hub listens. A restart listens on the same port. @param env variables beside this process's own */
  async start(flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = spawn(
      process.execPath,
      [hubProgram(), 'serve', '--port', String(this.#port), '--data', this.dataFolder, ...flags],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LECTERN_LOG_LEVEL: 'warn', ...env } }
    )
    this.#child = child
    this.printed = ''
    const listening = new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        this.printed += chunk.toString()
        const found = /listens on (http:\S+)\n/.exec(this.printed)
        if (found !== null) resolve(found[1]!)
      })
      child.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
      child.once('exit', (code, signal) => reject(new Error(`the hub ended with ${code ?? signal}: ${this.output}`)))
    })
    this.url = await listening
    this.#port = Number(new URL(this.url).port)
  }

  /** Ends the process at once, as a power cut does. Resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
    return child.exitCode
  }

  signal(signal: NodeJS.Signals): void {
    this.#child!.kill(signal)
  }

  /** Waits for the process to end by itself. @returns its exit code */
  async ended(): Promise<number | null> {
    const child = this.#child!
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }

  async operate<T>(name: OperationName, given: Record<string, unknown> = {}): Promise<T> {
    const called = await callControl(this.dataFolder, name, given)
    if (called === undefined) throw new Error('no hub runs')
    return called.result as T
  }

  /** Pairs a new device, as a person would. */
  async pair(account: string, name: string): Promise<{ account: string; device: string; token: string }> {
    const { code } = await this.operate<{ code: string }>('device.pair', { account })
    const response = await fetch(`${this.url}/api/v1/pair`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code, name, app: 'test' })
    })
    if (!response.ok) throw new Error(await response.text())
    return (await response.json()) as { account: string; device: string; token: string }
  }

  async drop(): Promise<void> {
    await this.kill()
    rmSync(this.dataFolder, { recursive: true, force: true })
  }
}
