import { createServer } from 'node:http'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { WebSocketServer } from 'ws'
import { connectNode } from '../../client/node.ts'
import { LIMITS } from '../../protocol/index.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import { serveFakeHub } from './serve-fake-hub.ts'
import { temporaryFolder } from '../util/folder.ts'
import { until } from '../util/until.ts'

const test = suite('client/node')

interface Served {
  readonly hub: FakeHub
  readonly url: string
  readonly sockets: WebSocketServer
}

async function serve(context: TestContext): Promise<Served> {
  const { hub, sockets, origin } = await serveFakeHub(context, createServer(), '/hub/live')
  return { hub, sockets, url: `${origin}/hub/` }
}

function fileFor(context: TestContext): string {
  const folder = temporaryFolder(context)
  return join(folder, 'state')
}

test('a client with a file comes back where it was, over a real socket', async context => {
  const { hub, url } = await serve(context)
  const file = fileFor(context)
  const first = await connectNode({ url, token: 'desk', file })
  await first.live()
  await first.putBook('b1', { title: 'Emma' })
  const notes = await first.annotations('b1')
  notes.put({ id: 'a', note: 'n' })
  await first.close()
  const second = await connectNode({ url, token: 'desk', file })
  context.defer(() => second.close())
  const again = await second.annotations('b1')
  assert.equal([second.books.get('b1')?.title, again.get('a')?.note], ['Emma', 'n'])
  await second.live()
  await second.settled()
  assert.is(hub.log.length, 2)
})

test('a frame over the limit is not taken into memory: the connection ends, and is made anew', async context => {
  const { hub, url, sockets } = await serve(context)
  const client = await connectNode({ url, token: 'desk' })
  context.defer(() => client.close())
  await client.live()
  for (const socket of sockets.clients) socket.send(new Uint8Array(LIMITS.maxFrameBytes + 1))
  await until(() => hub.dials === 2)
  await client.live()
})

test('a hub that is not there is waited for', async context => {
  const client = await connectNode({ url: 'ws://127.0.0.1:1', token: 'desk' })
  context.defer(() => client.close())
  await until(() => client.state === 'offline')
  void client.putSetting('a', 1)
  assert.is(client.settings.get('a'), 1)
  assert.is(client.unanswered, 1)
})

test('an address that is none is refused, and the file is free again', async context => {
  const file = fileFor(context)
  for (const url of ['no address', 'ftp://host'])
    assert.is(await connectNode({ url, token: 'desk', file }).catch((error: Error) => error.name), 'TypeError')
})

test.run()
