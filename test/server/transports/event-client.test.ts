import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { createEngineTransport } from '../../../server/transports/engine.ts'
import { EventClient, MAX_EVENT_BYTES, MAX_STRANGER_BYTES } from '../../../server/transports/event-client.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/transports/event-client')

/** A session by polling, of Engine.IO 3, which is connected by the hub. */
async function polling(
  defer: (task: () => void) => void
): Promise<{ client: EventClient; post: (body: string) => Promise<number> }> {
  let client: EventClient | undefined
  const transport = createEngineTransport({
    allowEIO3: true,
    maxMessageBytes: MAX_EVENT_BYTES,
    maxFirstBytes: MAX_STRANGER_BYTES,
    allowedOrigins: [],
    addressGroup: address => address,
    open: (session, remote) => (client = new EventClient(session, remote, () => ({ onEvent() {}, onClose() {} })))
  })
  const server = createServer((request, response) => transport.request(request, response, '192.0.2.1')).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  defer(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/socket.io/?EIO=3&transport=polling`
  const sid = /"sid":"([^"]+)"/.exec(await (await fetch(url)).text())![1]!
  const post = async (body: string): Promise<number> => {
    const headers = { 'content-type': 'text/plain;charset=UTF-8', connection: 'close' }
    return (await fetch(`${url}&sid=${sid}`, { method: 'POST', body, headers })).status
  }
  return { client: client!, post }
}

test('pings that nobody fetches the answers of end the session', async ({ defer }) => {
  const { client, post } = await polling(defer)
  await post('1:2'.repeat(10))
  assert.ok(client.isConnected)
  await post('1:2'.repeat(60))
  await client.gone
  assert.is(await post('1:2'), 400)
})

test('a stranger posts as much as a stranger may, and who is known more', async ({ defer }) => {
  const { client, post } = await polling(defer)
  const long = (length: number): string => `${length + 1}:4${'x'.repeat(length)}`
  assert.is(await post(long(MAX_STRANGER_BYTES)), 413)
  const known = await polling(defer)
  known.client.known()
  assert.is(await known.post(long(MAX_STRANGER_BYTES)), 200)
  client.cut()
  known.client.cut()
})

test.run()
