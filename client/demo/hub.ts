import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pair, type SignedIn } from '../node.ts'

const MAIN = fileURLToPath(new URL('../../server/main.ts', import.meta.url))

/** A hub in a process of its own, on a temporary store, worked by the commands that an operator types. */
export class DemoHub {
  readonly folder: string
  url = ''
  #port = '0'
  #child: ChildProcess | undefined

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(): Promise<DemoHub> {
    const hub = new DemoHub(await mkdtemp(join(tmpdir(), 'lectern-demo-')))
    await hub.start()
    return hub
  }

  /** Starts it, on the same port as before. Resolves when it listens. */
  async start(): Promise<void> {
    const child = this.#spawn(['serve', '--port', this.#port])
    this.#child = child
    this.url = await new Promise((resolve, reject) => {
      let printed = ''
      child.stdout!.on('data', (chunk: Buffer) => {
        printed += chunk.toString()
        const found = /listens on (http:\S+)/.exec(printed)
        if (found !== null) resolve(found[1]!)
      })
      child.once('exit', code => reject(new Error(`the hub ended with ${code}`)))
    })
    this.#port = new URL(this.url).port
  }

  /** Kills the process where it stands. */
  async kill(): Promise<void> {
    const child = this.#child!
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** What the process takes of the machine's memory. */
  async residentBytes(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(this.#child!.pid)])
    return Number(stdout) * 1_024
  }

  /** Runs `lectern …` and returns what it prints. */
  async run(...words: string[]): Promise<string> {
    const child = this.#spawn(words)
    let printed = ''
    child.stdout!.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    if (code !== 0) throw new Error(`lectern ${words.join(' ')} ended with ${code}`)
    return printed
  }

  /** Signs a new device in with a one-time code. */
  async pair(account: string, name: string): Promise<SignedIn> {
    const code = /code=(\S+)/.exec(await this.run('device', 'pair', account))![1]!
    return pair({ url: this.url, code, name, app: 'lectern demo' })
  }

  async drop(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }

  #spawn(words: string[]): ChildProcess {
    const env = { ...process.env, LECTERN_DATA_FOLDER: this.folder, LECTERN_LOG_LEVEL: 'error' }
    return spawn(process.execPath, [...process.execArgv, MAIN, ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  }
}
