import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'

/** One edit of a trace: at `position`, `deleted` characters go and `inserted` come. */
export type Patch = readonly [position: number, deleted: number, inserted: string]

/** What one of two people typed at once, knowing of the other's doings as many as they then did. */
export interface Turn {
  readonly who: 0 | 1
  readonly patches: readonly Patch[]
  /** How many of the other's turns had reached them. */
  readonly knownOfOther: number
}

export interface Trace {
  readonly turns: readonly Turn[]
  readonly endContent: string
}

interface TraceFile {
  readonly kind: string
  readonly numAgents: number
  readonly endContent: string
  readonly txns: readonly { readonly parents: readonly number[]; readonly agent: 0 | 1; readonly patches: readonly Patch[] }[]
}

/** Reads a trace of two people editing one text at the same time: gzipped JSON, as https://github.com/josephg/editing-traces publishes. */
export async function readTrace(path: string): Promise<Trace> {
  const file = JSON.parse(gunzipSync(await readFile(path)).toString()) as TraceFile
  if (file.kind !== 'concurrent' || file.numAgents !== 2)
    throw new Error(`${path} is not a trace of two people typing at the same time`)
  // For each transaction, how many of each person's came before it or are it.
  const counts: [number, number][] = []
  const turns = file.txns.map(({ parents, agent, patches }): Turn => {
    const count: [number, number] = [0, 0]
    for (const parent of parents) for (const who of [0, 1] as const) count[who] = Math.max(count[who], counts[parent]![who])
    const knownOfOther = count[agent === 0 ? 1 : 0]
    count[agent] += 1
    counts.push(count)
    return { who: agent, patches, knownOfOther }
  })
  return { turns, endContent: file.endContent }
}
