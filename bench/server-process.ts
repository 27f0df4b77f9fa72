import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The servers have the first core to themselves, as far as the machine lets them; the load has the others. */
const SERVER_CORE = '0'

export const canPin = spawnSync('taskset', ['-c', SERVER_CORE, 'true']).status === 0

/** Keeps this process, with all its threads, off the servers' core. */
export function pinLoad(cores: number): boolean {
  return canPin && cores > 1 && spawnSync('taskset', ['-a', '-c', '-p', `1-${cores - 1}`, String(process.pid)]).status === 0
}

const nodeFlags = ['--expose-gc', '--import', 'tsx']

/** Has every server write a CPU profile of its main thread into a folder when it ends. */
export function profileServers(folder: string): void {
  nodeFlags.push('--cpu-prof', `--cpu-prof-dir=${folder}`)
}

const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach(child => child.kill('SIGKILL')))

/**
 * One row's server, in a process of its own.
 *
 * `file` is run with `config` as JSON in its argument. Its first message says that it is ready; each later one answers a question.
 */
export class ServerProcess<Ready> {
  readonly #child: ChildProcess
  readonly ready: Ready

  private constructor(child: ChildProcess, ready: Ready) {
    this.#child = child
    this.ready = ready
  }

  static async start<Ready = { port: number }>(file: string, config: object = {}): Promise<ServerProcess<Ready>> {
    const path = fileURLToPath(new URL(`servers/${file}`, import.meta.url))
    const node = [process.execPath, ...nodeFlags, path, JSON.stringify(config)]
    const [command, ...rest] = canPin ? ['taskset', '-c', SERVER_CORE, ...node] : node
    const child = spawn(command!, rest, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' }
    })
    running.add(child)
    child.once('exit', (code, signal) => {
      if (child.connected || code !== 0) console.error(`${file} ended by itself: ${signal ?? `exit code ${code}`}`)
    })
    return new ServerProcess(child, (await message(child, file)) as Ready)
  }

  /** Sends a question that the server's file knows, and returns its answer. */
  async ask<Answer>(question: object): Promise<Answer> {
    this.#child.send(question)
    return (await message(this.#child, JSON.stringify(question))) as Answer
  }

  /** Memory in use, in KiB, after a garbage collection. */
  async residentKib(): Promise<number> {
    return (await this.ask<{ residentKib: number }>({ ask: 'resident' })).residentKib
  }

  /** CPU used so far by all threads that still run; undefined where there is no /proc. */
  readonly cpuUs = (): number | undefined => {
    const tasks = `/proc/${this.#child.pid}/task`
    let nanoseconds = 0
    try {
      for (const task of readdirSync(tasks))
        nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ')[0])
    } catch {
      return undefined
    }
    return nanoseconds / 1_000
  }

  /** The server exits by itself when nobody talks to it any more. */
  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    if (this.#child.connected) {
      this.#child.disconnect()
      await exited
    }
    running.delete(this.#child)
  }
}

async function message(child: ChildProcess, what: string): Promise<unknown> {
  const ended = new AbortController()
  const end = (): void => ended.abort(new Error(`the server ended before it answered: ${what}`))
  child.once('exit', end)
  try {
    const [answer] = (await Promise.race([
      once(child, 'message', { signal: ended.signal }),
      new Promise<never>((_, reject) => ended.signal.addEventListener('abort', () => reject(ended.signal.reason as Error)))
    ])) as [unknown]
    return answer
  } finally {
    child.off('exit', end)
  }
}
