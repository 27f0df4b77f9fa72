import { gzipSync } from 'node:zlib'

/**
 * A trace as two people might leave: one types at the front of the text, the other at its end, each now and then in the dark about the other.
 * So the outcome is known without merging anything. Gzipped, in the form of https://github.com/josephg/editing-traces.
 */
export function makeTrace(length: number): Buffer {
  const txns: { parents: number[]; agent: number; patches: [number, number, string][] }[] = []
  const last: [number, number] = [-1, -1]
  /** How much of each one's text the two know: their own, and what they last heard of the other. */
  const known: [[number, number], [number, number]] = [
    [0, 0],
    [0, 0]
  ]
  const heard: [number, number] = [-1, -1]
  const texts: [string, string] = ['', '']
  const add = (agent: 0 | 1, position: number, text: string): void => {
    txns.push({
      parents: [...new Set([last[agent], heard[agent]])].filter(index => index >= 0),
      agent,
      patches: [[position, 0, text]]
    })
    last[agent] = txns.length - 1
    known[agent][agent] += text.length
  }
  add(0, 0, '|')
  heard[1] = 0
  known[1][0] = 1
  for (let index = 0; index < length; index++) {
    const agent = index % 3 === 0 ? 0 : 1
    const other = agent === 0 ? 1 : 0
    if (index % 7 === 0) {
      heard[agent] = last[other]
      known[agent][other] = known[other][other]
    }
    const letter = String.fromCharCode(97 + (index % 26))
    add(agent, agent === 0 ? 0 : known[1][0] + known[1][1], letter)
    texts[agent] = agent === 0 ? letter + texts[0] : texts[1] + letter
  }
  return gzipSync(JSON.stringify({ kind: 'concurrent', numAgents: 2, endContent: `${texts[0]}|${texts[1]}`, txns }))
}
