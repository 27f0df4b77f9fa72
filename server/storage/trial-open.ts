import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { StoreDamage } from '../core/store.ts'
import { isDamage } from './damage.ts'
import { checkHead } from './file-head.ts'

const CHILD = fileURLToPath(new URL('trial-child.js', import.meta.url))
/** How much longer than its limit the child may take before it counts as hanging. */
const GRACE_MS = 30_000
const MAX_SAID_BYTES = 65_536

/** What reading a store from end to end came to. */
export interface Trial {
  readonly entries: number
  /** Of keys and values. */
  readonly bytes: number
  /** False when time ran out before the end. */
  readonly isWhole: boolean
  /** Entries whose checksum is wrong, by their keys; the first few of them. */
  readonly damaged: readonly string[]
}

/**
 * Looks at a store's file before this process maps it: at its beginning first, and then by having a child process open it and read all pages. So damage
 * that ends a reader with SIGBUS or SIGSEGV ends the child, and is named here. This process MUST own the store.
 *
 * @param limitMs how long to read; what was not read by then counts as sound until someone reads it
 * @returns undefined when there is no such file
 * @throws StoreDamage when LMDB cannot read the file, or not in order
 * @throws Error when the file cannot be opened for another reason
 */
export async function trialOpen(path: string, limitMs: number): Promise<Trial | undefined> {
  if (!existsSync(path)) return undefined
  await checkHead(path, false)
  const { said, end } = await runChild(path, limitMs)
  const outcome = parse(said)
  if (outcome === undefined) throw new StoreDamage(`${path} is damaged: a trial reading of it ended with ${end}`)
  if ('failure' in outcome) {
    const message = `${path} cannot be opened: ${outcome.failure}`
    throw isDamage(outcome.code) ? new StoreDamage(message) : new Error(message)
  }
  if ('damage' in outcome) throw new StoreDamage(`${path} is damaged: ${outcome.damage}`)
  return outcome
}

function runChild(path: string, limitMs: number): Promise<{ said: string; end: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, path, String(limitMs)], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    let complaint = ''
    child.stdout.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, MAX_SAID_BYTES)))
    child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(0, MAX_SAID_BYTES)))
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs + GRACE_MS)
    child.once('error', error => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      const how = signal ?? `exit code ${code}`
      const [firstLine = ''] = complaint.trim().split('\n')
      resolve({ said, end: firstLine === '' ? how : `${how} (${firstLine})` })
    })
  })
}

type Outcome = Trial | { damage: string } | { failure: string; code: unknown }

function parse(said: string): Outcome | undefined {
  try {
    return JSON.parse(said) as Outcome
  } catch {
    return undefined
  }
}
