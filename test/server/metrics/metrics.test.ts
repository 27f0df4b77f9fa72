import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { Tally } from '../../../server/core/tally.ts'
import { DIALECT_PATHS } from '../../../server/dialects.ts'
import { createRegistry, type MetricsSources } from '../../../server/metrics/registry.ts'
import { routeOf } from '../../../server/metrics/requests.ts'
import { FLUSH_BOUNDS_MS } from '../../../server/storage/flushes.ts'
import { isFree } from '../../../server/storage/owner.ts'
import { recordingLogger } from '../../util/core-hub.ts'
import { temporaryFolder } from '../../util/folder.ts'
import { register, servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import { suite, type TestContext } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'

const test = suite('server/metrics/metrics')

const measured = (context: TestContext, flags = {}): Promise<TestServingHub> =>
  servingHub(context, { metricsPort: '0', ...flags })

const textOf = async ({ metricsUrl }: TestServingHub): Promise<string> => (await fetch(metricsUrl!)).text()

/** The series of a hub whose names begin with `lectern_`, with their values. */
async function scrape(hub: TestServingHub): Promise<Map<string, number>> {
  const lines = (await textOf(hub)).split('\n').filter(line => line.startsWith('lectern_'))
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

test('a hub has no metrics unless it is asked for them, and then on a port of their own alone', async context => {
  const hub = await servingHub(context)
  assert.is(hub.metricsUrl, undefined)
  const asked = await measured(context)
  for (const { url } of [hub, asked]) assert.is((await fetch(`${url}/metrics`)).status, 404)
  assert.match(asked.metricsUrl!, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  const answer = await fetch(asked.metricsUrl!)
  assert.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(await answer.text(), /^nodejs_eventloop_lag_p99_seconds \d/m)
  assert.is((await fetch(new URL('/', asked.metricsUrl))).status, 404)
  assert.is((await fetch(asked.metricsUrl!, { method: 'POST' })).status, 404)
})

test('a port for metrics that is taken is named with its option, and the data folder is let go', async context => {
  const first = await measured(context)
  const { port } = new URL(first.metricsUrl!)
  const dataFolder = temporaryFolder(context)
  const refused = await measured(context, { metricsPort: port, dataFolder }).catch((error: unknown) => error)
  assert.is((refused as Error).message, `port ${port} is taken; choose another with --metrics-port or LECTERN_METRICS_PORT`)
  assert.ok(isFree(join(dataFolder, 'store')))
})

test('a number that cannot be read is left out and logged, and the others are told', async () => {
  const logger = recordingLogger()
  const flushes = {
    count: 0,
    sumMs: 0,
    countsByBound: FLUSH_BOUNDS_MS.concat(Infinity).map(() => 0),
    medianMs: 0,
    p99Ms: 0,
    mostMs: 0
  }
  const sources: MetricsSources = {
    connections: () => ({ websocket: 2 }),
    behindCount: () => 0,
    tally: new Tally(),
    requests: [],
    refusedSignIns: () => 3,
    isReadOnly: () => true,
    store: () => ({ storeBytes: 1, usedBytes: 1, flushes }),
    freeBytes: () => Promise.reject(new Error('the disk does not answer')),
    files: async () => ({ files: 1, fileBytes: 5 })
  }
  const text = await createRegistry(sources, logger).metrics()
  assert.match(text, /^lectern_read_only 1$/m)
  assert.not.match(text, /^lectern_disk_free_bytes/m)
  assert.equal(
    logger.lines.map(({ fields }) => (fields as { metric: string }).metric),
    ['lectern_disk_free_bytes']
  )
})

test('actions are counted once each, as accepted or by why they were refused', async context => {
  const hub = await measured(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const { token } = await register(account, 'phone')
  const wire = new WireClient()
  context.defer(() => wire.close())
  await wire.connect(hub.url, token)
  const acked = wire.next('acked', ({ accepted, refused }) => accepted.length + refused.length === 4)
  const put = (number: number, value: string) => [number, 0, 'setting.put', 'theme', { value }] as const
  wire.send('push', { confirmed: 0, actions: [put(1, 'dark'), put(1, 'dark'), put(1, 'light'), [2, 0, 'nonsense', 'x', {}]] })
  await acked
  const before = await scrape(hub)
  assert.is(before.get('lectern_actions_accepted_total'), 1)
  assert.is(before.get('lectern_actions_refused_total{code="action-conflict"}'), 1)
  assert.is(before.get('lectern_actions_refused_total{code="unknown-action"}'), 1)
  const denied = await fetch(`${hub.url}/api/v1/pair`, {
    method: 'POST',
    body: JSON.stringify({ code: 'AAAA-AAAA', name: 'x', app: 'y' })
  })
  assert.is(denied.status, 401)
  const after = await scrape(hub)
  assert.is(after.get('lectern_sign_ins_refused_total'), 1)
  assert.is(after.get('lectern_http_requests_total{route="sign-in",status="401"}'), 1)
})

test('connections are counted by carrier while they last, and whoever is behind as such', async context => {
  const hub = await measured(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada')).id)
  const { token } = await register(account, 'phone')
  const wire = new WireClient()
  context.defer(() => wire.close())
  await wire.connect(hub.url, token)
  const yjs = new WebSocket(`${hub.url.replace('http', 'ws')}/yjs/book/emma?token=${token}`)
  context.defer(() => yjs.terminate())
  await once(yjs, 'message')
  const during = await scrape(hub)
  assert.is(during.get('lectern_connections{carrier="websocket"}'), 1)
  assert.is(during.get('lectern_connections{carrier="y-websocket"}'), 1)
  assert.is(during.get('lectern_connections{carrier="socket.io"}'), 0)
  assert.is(during.get('lectern_sessions_behind'), 0)
  yjs.terminate()
  wire.close()
  for (;;) {
    const after = await scrape(hub)
    if (
      after.get('lectern_connections{carrier="websocket"}') === 0 &&
      after.get('lectern_connections{carrier="y-websocket"}') === 0
    )
      break
  }
})

test('flushes stand in a histogram whose buckets grow up to their count, beside the bytes of store and files', async context => {
  const hub = await measured(context)
  await hub.directory.add('ada')
  await hub.hub.ensureAccount(hub.directory.get('ada').id)
  const series = await scrape(hub)
  const buckets = [...series]
    .filter(([name]) => name.startsWith('lectern_flush_duration_seconds_bucket'))
    .map(([, count]) => count)
  const count = series.get('lectern_flush_duration_seconds_count')!
  assert.ok(count > 0)
  assert.is(series.get('lectern_flush_duration_seconds_bucket{le="+Inf"}'), count)
  assert.equal(
    buckets,
    [...buckets].sort((left, right) => left - right)
  )
  assert.ok(series.get('lectern_flush_duration_seconds_sum')! > 0)
  assert.ok(series.get('lectern_store_bytes')! >= series.get('lectern_store_used_bytes')!)
  assert.ok(series.get('lectern_disk_free_bytes')! > 0)
  assert.equal([series.get('lectern_files'), series.get('lectern_file_bytes'), series.get('lectern_read_only')], [0, 0, 0])
})

test('whatever is asked for makes few series, and none that names an account, a device or a token', async context => {
  const hub = await measured(context)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada-lovelace')).id)
  const { token, device } = await register(account, 'phone-of-ada')
  const authorization = `Bearer ${token}`
  await fetch(`${hub.url}/api/v1/changes`, { headers: { authorization } })
  const before = (await scrape(hub)).size
  for (let at = 0; at < 50; at++) await fetch(`${hub.url}/nowhere/${at}?token=${token}`, { headers: { authorization } })
  assert.is((await scrape(hub)).size, before + 1)
  const text = await textOf(hub)
  for (const secret of ['ada', 'phone-of', token, device, account.id]) assert.not(text.includes(secret), secret)
})

test('a request whose client leaves before it has an answer is counted as such', async context => {
  const hub = await measured(context)
  const socket = connect(Number(new URL(hub.url).port), '127.0.0.1')
  socket.write('POST /api/v1/pair HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{')
  await once(socket, 'connect')
  socket.end()
  socket.on('error', () => undefined).resume()
  const counts = async (): Promise<string[]> =>
    [...(await scrape(hub)).keys()].filter(name => name.startsWith('lectern_http_requests_total'))
  let names = await counts()
  while (names.length === 0) names = await counts()
  assert.equal(names, ['lectern_http_requests_total{route="sign-in",status="none"}'])
})

test('every dialect has a route of its own', () => {
  assert.equal(
    DIALECT_PATHS.filter(path => routeOf(path) === 'other'),
    []
  )
  assert.is(routeOf('/API/v1/sync/files?x=/kosync/'), 'rest')
  assert.is(routeOf('/live/socket.io/?EIO=4'), 'live')
  assert.is(routeOf('/nowhere'), 'other')
})

test.run()
