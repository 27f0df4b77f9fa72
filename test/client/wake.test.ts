import * as assert from 'uvu/assert'
import { suite, type TestContext } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import { open, quiet } from './open.ts'
import { until } from '../util/until.ts'

const test = suite('client/wake')

/** As much of a browser's page as is listened to. */
function page(context: TestContext): { window: EventTarget; document: EventTarget & { visibilityState: string } } {
  const window = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' })
  const names = ['document', 'addEventListener', 'removeEventListener']
  Object.assign(globalThis, {
    document,
    addEventListener: window.addEventListener.bind(window),
    removeEventListener: window.removeEventListener.bind(window)
  })
  context.defer(() => {
    for (const name of names) Reflect.deleteProperty(globalThis, name)
  })
  return { window, document }
}

test('when the network is back, or the page is looked at, the next try is now', async context => {
  const { window, document } = page(context)
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  await client.live()
  hub.cut()
  await until(() => client.state === 'offline')
  document.dispatchEvent(new Event('visibilitychange'))
  assert.is(client.state, 'offline')
  document.visibilityState = 'visible'
  document.dispatchEvent(new Event('visibilitychange'))
  await client.live()
  hub.cut()
  await until(() => client.state === 'offline')
  window.dispatchEvent(new Event('online'))
  await client.live()
  assert.is(hub.dials, 3)
})

test('a connection that died in its sleep is found out soon after waking, a live one stays', async context => {
  const { window } = page(context)
  const hub = new FakeHub()
  const { client, clock } = await open(context, hub)
  await client.live()
  window.dispatchEvent(new Event('online'))
  await quiet(5)
  clock.advance(5_000)
  assert.is(client.state, 'live')
  hub.isAnswering = false
  window.dispatchEvent(new Event('online'))
  await quiet(5)
  clock.advance(4_000)
  window.dispatchEvent(new Event('online'))
  clock.advance(1_000)
  assert.is(client.state, 'offline')
})

test('a closed client is not woken', async context => {
  const { window } = page(context)
  const hub = new FakeHub()
  const { client } = await open(context, hub)
  await client.live()
  await client.close()
  window.dispatchEvent(new Event('online'))
  await quiet(5)
  assert.is(hub.dials, 1)
})

test.run()
