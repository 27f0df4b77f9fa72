import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Logger } from '../core/ports.ts'
import { createRegistry, type MetricsSources } from './registry.ts'

/** Those who scrape are few. */
const MAX_CONNECTIONS = 16

/** A server of its own for `GET /metrics`, in Prometheus's text format. It is not listening yet. */
export function createMetricsServer(sources: MetricsSources, logger: Logger): Server {
  const registry = createRegistry(sources, logger)
  const scrape = async (response: ServerResponse): Promise<void> => {
    try {
      const text = await registry.metrics()
      response.writeHead(200, { 'content-type': registry.contentType }).end(text)
    } catch (error) {
      logger.warn({ err: error }, 'the metrics could not be read')
      response.writeHead(500).end()
    }
  }
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 8_192 }, (request, response) => {
    const isScrape = request.method === 'GET' && request.url?.split('?', 1)[0] === '/metrics'
    if (isScrape) void scrape(response)
    else response.writeHead(404).end()
  })
  server.maxConnections = MAX_CONNECTIONS
  server.timeout = 30_000
  return server
}
