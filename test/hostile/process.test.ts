import { hostname } from 'node:os'
import * as assert from 'uvu/assert'
import { encodeFrame } from '../../protocol/index.ts'
import { HubProcess } from '../util/hub-process.ts'
import { suite } from '../util/suite.ts'
import { WireClient } from '../util/wire-client.ts'

const test = suite('hostile/process')

test('case 18: what was sent right before a kill, and is sent again behind it, takes effect once and has one answer', async ({
  defer
}) => {
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const { token } = await hub.pair('reader', 'phone')
  const { token: watching } = await hub.pair('reader', 'watcher')
  let number = 0
  let tookEffectBefore = 0
  for (let round = 0; round < 8; round++) {
    const [wire, watcher] = [new WireClient(), new WireClient()]
    await watcher.connect(hub.url, watching)
    const { lastNumber } = await wire.connect(hub.url, token)
    number = Math.max(number, lastNumber) + 1
    const push = encodeFrame('push', { confirmed: 0, actions: [[number, 0, 'setting.put', 'k', { value: number }]] })
    // By turns before the hub can have it, and when it has taken effect while its answer goes unread.
    const seen = watcher.next('changes', ({ changes }) => changes.some(([, , , , taken]) => taken === number))
    seen.catch(() => undefined)
    wire.freeze()
    wire.sendBytes(push)
    if (round % 2 === 1) await seen
    await hub.kill()
    await hub.start()
    const again = new WireClient()
    const welcome = await again.connect(hub.url, token)
    if (round % 2 === 1) assert.is(welcome.lastNumber, number)
    if (welcome.lastNumber === number) tookEffectBefore += 1
    const answers: unknown[] = []
    for (let times = 0; times < 2; times++) {
      const acked = again.next('acked')
      again.sendBytes(push)
      answers.push((await acked).accepted)
    }
    assert.equal(answers[0], answers[1])
    const { head } = await again.connect(hub.url, token)
    await again.upTo(head)
    assert.is(again.changes.filter(([, , , , taken]) => taken === number).length, 1)
    for (const end of [again, wire, watcher]) end.close()
  }
  process.stdout.write(`FIGURE: 8 kills right behind a push: ${tookEffectBefore} had taken effect; all took effect once\n`)
})

test('case 32: a second hub on the same data folder is refused, says whose it is, and disturbs nothing', async ({ defer }) => {
  const hub = new HubProcess()
  defer(() => hub.drop())
  await hub.start()
  const { token } = await hub.pair('reader', 'phone')
  const wire = new WireClient()
  defer(() => wire.close())
  await wire.connect(hub.url, token)
  const second = new HubProcess(hub.dataFolder)
  const error = await second.start().then(
    () => undefined,
    (error: unknown) => error as Error
  )
  assert.match(error?.message ?? 'it started', `(pid ${hub.pid} on ${hostname()})`)
  const acked = wire.next('acked')
  wire.send('push', { confirmed: 0, actions: [[1, 0, 'setting.put', 'k', { value: 1 }]] })
  assert.is((await acked).accepted.length, 1)
  assert.is((await hub.operate<{ hub: { sessions: number } }>('stats')).hub.sessions, 1)
})

test.run()
