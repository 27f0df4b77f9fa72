import type { IncomingMessage, ServerResponse } from 'node:http'

/** A body is here within so long. */
const WITHIN_MS = 30_000
/** One that may take longer brings so much in each such time: less than the slowest of mobile networks. */
const LEAST_BYTES = 16_384

const slow = new WeakSet<IncomingMessage>()

/** Runs `task` after `delayMs`; the returned function cancels it. */
type SetTimer = (delayMs: number, task: () => void) => () => void

const setUnrefTimer: SetTimer = (delayMs, task) => {
  const timer = setTimeout(task, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}

/** Lets a request's body come for as long as it moves: for who is known, and sends much. */
export function mayTakeLong(request: IncomingMessage): void {
  slow.add(request)
}

/**
 * Cuts a request off whose body does not come in time, with status 408. Node's own `requestTimeout` is one for all requests, and would cut a large
 * file on a slow line.
 */
export function boundBodyTime(request: IncomingMessage, response: ServerResponse, setTimer: SetTimer = setUnrefTimer): void {
  const { headers, socket } = request
  if (headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0') return
  let heardBytes = socket.bytesRead
  const look = (): void => {
    if (request.complete) return
    const bytes = socket.bytesRead - heardBytes
    // What waits to be read is not for the sender to hasten.
    if (!slow.has(request) || (bytes < LEAST_BYTES && request.readableLength === 0)) return cut(request, response)
    heardBytes += bytes
    cancel = setTimer(WITHIN_MS, look)
  }
  let cancel = setTimer(WITHIN_MS, look)
  request.once('close', () => cancel())
}

function cut({ socket }: IncomingMessage, response: ServerResponse): void {
  if (!response.headersSent && socket.writable) socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n')
  socket.destroySoon()
}
