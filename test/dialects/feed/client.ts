import * as assert from 'uvu/assert'
import type { Plain } from '../../../protocol/index.ts'
import { restHub, type RestAnswer, type RestHub } from '../../util/rest-hub.ts'
import type { TestContext } from '../../util/suite.ts'
import { WireClient } from '../../util/wire-client.ts'

/** One client of the feed, and a device of the same account that writes by the hub's own protocol. */
export interface FeedClient {
  readonly hub: RestHub
  readonly token: string
  readonly device: string
  readonly wire: WireClient
  /** Asks at a path under `/api/library`. */
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<RestAnswer>
  /** A good answer's body. */
  get(path: string): Promise<any>
  /** Makes a change, and waits until it is durable. */
  write(kind: string, key: string, body: unknown): Promise<void>
  /** All pages of a drain, and the times that they told. */
  drain(query?: string): Promise<{ books: Record<string, any>[]; times: string[] }>
}

let made = 0

/** An id of a book that no other test has. */
export const newBook = (): string => `feed-${Date.now().toString(36)}-${process.pid}-${++made}`

export async function feedClient(context: TestContext, hub?: RestHub): Promise<FeedClient> {
  const asked = hub ?? (await restHub(context))
  const { id: device, token } = await asked.device({ name: 'Feed client' })
  const wire = new WireClient()
  await wire.connect(asked.url, token)
  context.defer(() => wire.close())
  let number = 0
  const client: FeedClient = {
    hub: asked,
    token,
    device,
    wire,
    ask: (method, path, body, headers) => asked.request(method, `/api/library${path}`, token, body, headers),
    async get(path) {
      const { status, json, text } = await client.ask('GET', path)
      assert.is(status, 200, text)
      return json
    },
    async write(kind, key, body) {
      const own = ++number
      const acked = wire.next('acked', frame => [...frame.accepted, ...frame.refused].some(([of]) => of === own))
      wire.send('push', { confirmed: 0, actions: [[own, Date.now(), kind, key, body as Plain]] })
      assert.equal((await acked).refused, [])
    },
    async drain(query = '') {
      const books: Record<string, any>[] = []
      const times: string[] = []
      for (let page = 1; ; page++) {
        const { data, pagination, serverTime } = await client.get(`/sync?page=${page}&${query}`)
        books.push(...data)
        times.push(serverTime)
        if (page >= pagination.totalPages) return { books, times }
      }
    }
  }
  return client
}
