import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { createHttpApp, createHttpServer } from '../../server/transports/http.ts'
import { recordingLogger } from '../util/core-hub.ts'
import { suite } from '../util/suite.ts'

/** Far more than the system takes in for a socket that nobody reads. */
const ANSWER_BYTES = 20_000_000
const LOOK_EVERY_MS = 500

const test = suite('long/unread-answers', { limitMs: 5 * 60_000 })

test('who does not take its answer does not hold its socket for ever', async ({ defer }) => {
  const app = createHttpApp(recordingLogger(), () => 'test', [])
  app.get('/', context => context.body('x'.repeat(ANSWER_BYTES)))
  const server = createHttpServer(app, {}, 10)
  defer(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  defer(() => void socket.destroy())
  socket.on('error', () => undefined)
  socket.write('GET / HTTP/1.1\r\nHost: hub\r\n\r\n')
  const [held] = (await once(server, 'connection')) as [NodeJS.EventEmitter & { destroyed: boolean }]
  while (!held.destroyed) await wait(LOOK_EVERY_MS)
})

test.run()
