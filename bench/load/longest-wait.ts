import { Agent, get } from 'node:http'
import { setTimeout } from 'node:timers/promises'

/** Asks the hub whether it is there, a millisecond after each answer, for as long as `work` takes. Resolves with the longest wait for an answer, in milliseconds. */
export async function longestWaitMs(port: number, work: Promise<unknown>): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const state = { isOver: false }
  const over = work.finally(() => (state.isOver = true))
  let longestMs = 0
  while (!state.isOver) {
    const startedAtMs = performance.now()
    await answered(port, agent)
    longestMs = Math.max(longestMs, performance.now() - startedAtMs)
    await setTimeout(1)
  }
  agent.destroy()
  await over
  return longestMs
}

const answered = (port: number, agent: Agent): Promise<void> =>
  new Promise((resolve, reject) => {
    get({ port, agent, path: '/healthz' }, response => response.resume().once('end', resolve)).once('error', reject)
  })
