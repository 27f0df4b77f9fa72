import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { CARRIERS, type CarrierName } from '../util/carriers.ts'
import { CutOff } from '../util/cut-off.ts'
import { register, servingHub } from '../util/serving-hub.ts'
import { suite } from '../util/suite.ts'
import { VISITORS, type VisitorName } from '../util/visitors.ts'

const test = suite('long/idle-carriers', { limitMs: 5 * 60_000 })

const IDLE_MS = 125_000
const BOOK = 'emma'
/** Those that are no clients of documents. A long poll ends by itself, to be asked again. */
const LISTENERS = ['socket.io by websocket', 'socket.io by polling', 'events'] as const satisfies readonly VisitorName[]

test('whoever says nothing for two minutes is still connected, by the same connection, on every carrier', async context => {
  const { hub, url, logger } = await servingHub(context)
  const account = await hub.ensureAccount('reader')
  const { token } = await register(account, 'device')
  const open = await Promise.all(
    (Object.keys(CARRIERS) as CarrierName[]).map(async carrier => {
      const way = await CutOff.to(url)
      context.defer(() => way.close())
      const document = await CARRIERS[carrier](way.url, token, BOOK)
      context.defer(() => document.close())
      return { carrier, way, doc: document.doc }
    })
  )
  const ended: string[] = []
  for (const name of LISTENERS)
    await new Promise<void>(resolve => {
      void VISITORS[name]({ url, token, deed: 'stay', onIn: resolve }).then(how => ended.push(`${name} ${how}`))
    })
  await new Promise(resolve => setTimeout(resolve, IDLE_MS))
  assert.equal(ended, [])
  assert.is(logger.lines.filter(({ message }) => message === 'connection closed').length, 0)
  // One connection of socket.io is as many of TCP as its polls ask for.
  const doors = open.filter(({ carrier }) => carrier === 'y-websocket' || carrier === 'hocuspocus')
  assert.equal(
    doors.map(({ carrier, way }) => [carrier, way.connections]),
    doors.map(({ carrier }) => [carrier, 1])
  )
  const [first, ...others] = open
  const arrived = others.map(
    ({ doc }) => new Promise<void>(resolve => doc.on('update', () => doc.getMap('annotations').has('one') && resolve()))
  )
  first!.doc.getMap('annotations').set('one', new Y.Map([['kind', 'highlight']]))
  await Promise.all(arrived)
  process.stdout.write(`FIGURE: ${open.length + LISTENERS.length} carriers idle for ${IDLE_MS / 1_000} s, none of them cut\n`)
})

test.run()
