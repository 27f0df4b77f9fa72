import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { hubProgram } from './hub-program.ts'

/** What came of a command. */
export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/**
 * Runs `lectern …` to its end.
 * @param typed what is piped in
 * @param env variables beside this process's own
 */
export async function lectern(
  words: readonly string[],
  { typed = '', env = {} }: { typed?: string | Uint8Array; env?: Readonly<Record<string, string>> } = {}
): Promise<Ran> {
  const child = spawn(process.execPath, [hubProgram(), ...words], { env: { ...process.env, ...env } })
  child.stdin.end(typed)
  return ended(child)
}

/** Waits for a process to end, and gives back how it did and what it printed. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ran> {
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}
