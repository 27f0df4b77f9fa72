import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HubError, type ErrorCode } from '../../../protocol/index.ts'
import { systemClock } from '../../../server/clock.ts'
import { EPUB_PATHS, mountEpub } from '../../../server/dialects/epub/index.ts'
import { failed, operation, succeeded, type Operation } from '../../../server/dialects/epub/operation.ts'
import { createHttpApp, createHttpServer } from '../../../server/transports/http.ts'
import { recordingLogger } from '../../util/core-hub.ts'
import type { TestContext } from '../../util/suite.ts'

/** What came back. */
export interface Heard {
  readonly status: number
  readonly type: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  readonly text: string
}

export interface Echo {
  readonly url: string
  readonly logger: ReturnType<typeof recordingLogger>
  /** Calls that came to an operation. */
  readonly calls: { readonly count: number }
  /** Sends just these headers, and none of its own but those that HTTP needs. */
  readonly ask: (
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
    body?: string | Uint8Array
  ) => Promise<Heard>
}

export const SYNCHRONIZE = '/api/synchronization/synchronize'

/** The shell of the API over operations that give back what they are given, on a port of its own. */
export async function echo({ defer }: TestContext): Promise<Echo> {
  const logger = recordingLogger()
  const app = createHttpApp(logger, () => 'test', [], EPUB_PATHS)
  const calls = { count: 0 }
  mountEpub(app, echoing(calls), { clock: systemClock, logger })
  const server = createHttpServer(app, {}, 100)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const ask: Echo['ask'] = (method, path, headers = {}, body) =>
    new Promise((resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', method, path, headers, agent: false }, response => {
        const chunks: Buffer[] = []
        response.on('error', reject)
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const bytes = Buffer.concat(chunks)
          resolve({
            status: response.statusCode!,
            type: response.headers['content-type'],
            headers: response.headers,
            bytes,
            text: bytes.toString('utf8')
          })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  return { url: `http://127.0.0.1:${port}`, logger, calls, ask }
}

const echoing = (calls: { count: number }): Operation[] => [
  operation({
    method: 'POST',
    path: '/api/synchronization/synchronize',
    reads: { type: 'SynchronizationModel', parameter: 'model' },
    gives: 'SynchronizationModel',
    async run({ body, token, address }) {
      calls.count += 1
      return body === null ? failed(400, `nothing from ${address}`, token) : succeeded(body)
    }
  }),
  operation({
    method: 'POST',
    path: '/api/markings/postmarkingsapp',
    reads: { type: 'position[]', parameter: 'markings' },
    gives: 'position[]',
    async run({ body }) {
      calls.count += 1
      return succeeded(body)
    }
  }),
  operation({
    method: 'GET',
    path: '/api/markings/getmarkingbyid',
    reads: undefined,
    gives: 'position',
    async run({ query }) {
      return succeeded<'position'>({ note: query('syncGuid') ?? null })
    }
  }),
  operation({
    method: 'GET',
    path: '/api/synchronization/downloadinitialcontent',
    reads: undefined,
    gives: 'SynchronizationModel',
    async run({ query }) {
      const [code, count] = [query('code'), Number(query('count') ?? 0)]
      if (code === 'bug') throw new TypeError('of the hub alone')
      if (code !== undefined) throw new HubError(code as ErrorCode, '', { retryAfterMs: 1_500 })
      async function* books(): AsyncGenerator<{ title: string }> {
        for (let at = 0; at < count; at++) yield { title: `${at} ${'é'.repeat(500)}` }
        if (query('breaks') !== undefined) throw new TypeError('half-way')
      }
      return succeeded<'SynchronizationModel'>({ Books: books() })
    }
  })
]
