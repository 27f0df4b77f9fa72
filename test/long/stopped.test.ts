import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { HubProcess } from '../util/hub-process.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const STOPPED_MS = Number(process.env['LECTERN_STOPPED_MS'] ?? 60_000)

const test = suite('long/stopped', { limitMs: 10 * 60_000 })

/** A device in a process of its own, and the last count that it was told is kept. */
interface Device {
  readonly acked: number
  readonly failure: string
  signal(signal: NodeJS.Signals): void
  until(count: number): Promise<void>
}

function device({ defer }: TestContext, url: string, token: string): Device {
  const folder = mkdtempSync(join(tmpdir(), 'lectern-stopped-'))
  const script = fileURLToPath(new URL('stopped-device.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, url, token, join(folder, 'outbox')])
  const told = { acked: 0, failure: '' }
  const wakers: (() => void)[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    told.acked = Number(chunk.toString().trim().split('\n').at(-1))
    for (const waker of wakers.splice(0)) waker()
  })
  child.stderr.on('data', (chunk: Buffer) => (told.failure += chunk.toString()))
  defer(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    get acked() {
      return told.acked
    },
    get failure() {
      return told.failure
    },
    signal: signal => void child.kill(signal),
    async until(count) {
      while (told.acked < count) {
        if (child.exitCode !== null) throw new Error(`the device ended: ${told.failure}`)
        await new Promise<void>(resolve => wakers.push(resolve))
      }
    }
  }
}

/** What the log holds of a device: each count once, in order, and all that it was told is kept. */
function holdsAll(wire: WireClient, id: string, acked: number): void {
  const counts = wire.changes
    .filter(([, , by, , , , kind]) => by === id && kind === 'setting.put')
    .map(([, , , , , , , , body]) => (body as { value: number }).value)
  assert.ok(counts.length >= acked, `${counts.length} of ${acked}`)
  assert.equal(
    counts,
    Array.from({ length: counts.length }, (_, index) => index + 1)
  )
}

test(`a hub that is stopped for ${STOPPED_MS / 1_000} s goes on with its devices, and nothing is lost or doubled`, async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const phone = await hub.pair('reader', 'phone')
  const writer = device(context, hub.url, phone.token)
  await writer.until(20)
  hub.signal('SIGSTOP')
  const before = writer.acked
  await delay(STOPPED_MS)
  hub.signal('SIGCONT')
  const started = performance.now()
  await writer.until(before + 50)
  const recoveredMs = Math.round(performance.now() - started)
  const reader = new WireClient()
  context.defer(() => reader.close())
  const { acked } = writer
  const { head } = await reader.connect(hub.url, (await hub.pair('reader', 'tablet')).token)
  await reader.upTo(head)
  holdsAll(reader, phone.device, acked)
  process.stdout.write(
    `FIGURE: hub stopped for ${STOPPED_MS / 1_000} s: 50 writes later after ${recoveredMs} ms; 0 lost, 0 doubled\n`
  )
})

test(`a device that is stopped for ${STOPPED_MS / 1_000} s disturbs no other, comes back, and nothing is lost or doubled`, async context => {
  const hub = new HubProcess()
  context.defer(() => hub.drop())
  await hub.start()
  const [phone, tablet] = [await hub.pair('reader', 'phone'), await hub.pair('reader', 'tablet')]
  const [stopped, other] = [device(context, hub.url, phone.token), device(context, hub.url, tablet.token)]
  await Promise.all([stopped.until(20), other.until(20)])
  stopped.signal('SIGSTOP')
  const [before, otherBefore] = [stopped.acked, other.acked]
  await delay(STOPPED_MS)
  await other.until(otherBefore + 20)
  const { sessions } = (await hub.operate<{ hub: { sessions: number } }>('stats')).hub
  stopped.signal('SIGCONT')
  const started = performance.now()
  await stopped.until(before + 50)
  const recoveredMs = Math.round(performance.now() - started)
  const reader = new WireClient()
  context.defer(() => reader.close())
  const acked = [stopped.acked, other.acked]
  const { head } = await reader.connect(hub.url, (await hub.pair('reader', 'third')).token)
  await reader.upTo(head)
  holdsAll(reader, phone.device, acked[0]!)
  holdsAll(reader, tablet.device, acked[1]!)
  process.stdout.write(
    `FIGURE: device stopped for ${STOPPED_MS / 1_000} s, ${sessions} sessions left then: 50 writes later after ${recoveredMs} ms; 0 lost, 0 doubled\n`
  )
})

test.run()
