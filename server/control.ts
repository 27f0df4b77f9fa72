import { request, type IncomingMessage, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { HubError, isErrorCode, type Plain } from '../protocol/index.ts'
import type { Logger } from './core/ports.ts'
import { CONTROL_SOCKET } from './data-folder.ts'
import { assertRunning, isOperationName, operate, type OperationName, type OperatorParts } from './operations.ts'

const MAX_BODY_BYTES = 1_048_576
/** What a hub of this user answers is one page at the most, and JSON makes some of it longer. */
const MAX_ANSWER_BYTES = 16_777_216
/** A hub that was stopped, or copies a large store, answers late: then whoever waits is told so. */
const SILENT_MS = 5_000

/** Answers `POST /<operation>` with a JSON body on the operator's socket. */
export function controlListener(parts: OperatorParts, logger: Logger): RequestListener {
  return (incoming, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const name = (incoming.url ?? '').slice(1)
    const run = async (): Promise<Plain> => {
      if (!isOperationName(name)) throw new HubError('not-found', `there is no operation ${name}`)
      return operate(parts, name, parsed(await readText(incoming)))
    }
    run().then(
      result => answer(200, { result }),
      (error: unknown) => {
        if (!(error instanceof HubError)) logger.error({ err: error, operation: name }, 'an operation failed')
        answer(400, { code: error instanceof HubError ? error.code : 'internal', message: (error as Error).message })
      }
    )
  }
}

/**
 * Has an operation done by the hub that runs on this data folder. Says on stderr when that takes long.
 * @returns undefined when none runs
 * @throws HubError what the operation refused
 */
export async function callControl(
  dataFolder: string,
  name: OperationName,
  given: unknown
): Promise<{ result: Plain } | undefined> {
  let text
  const silent = setTimeout(() => process.stderr.write(`waiting for the hub in ${dataFolder} to answer …\n`), SILENT_MS)
  try {
    text = await post(join(dataFolder, CONTROL_SOCKET), `/${name}`, JSON.stringify(given))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EACCES' || code === 'EPERM')
      throw new HubError(
        'forbidden',
        `${dataFolder} cannot be used from here: the hub that runs there belongs to another user; run this as that user`
      )
    // No hub listens on a path that is too long for a socket.
    if (!['ENOENT', 'ECONNREFUSED', 'ENAMETOOLONG', 'EINVAL'].includes(code ?? '')) {
      if (error instanceof HubError) throw error
      throw new Error(
        `the hub in ${dataFolder} broke off before it answered (${code}): see that it runs, and what of this was done, and run it again`,
        { cause: error }
      )
    }
    assertRunning(name, resolve(dataFolder))
    return undefined
  } finally {
    clearTimeout(silent)
  }
  const answer = JSON.parse(text) as { result: Plain } | { code: string; message: string }
  if ('result' in answer) return answer
  throw new HubError(isErrorCode(answer.code) ? answer.code : 'internal', answer.message)
}

/** True when somebody listens on the operator's socket, be it one who does not answer just now or is of another user. */
export function hubListens(dataFolder: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(join(dataFolder, CONTROL_SOCKET))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EACCES' || code === 'EPERM'))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new HubError('bad-request', 'the body is not JSON')
  }
}

function post(socketPath: string, path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method: 'POST', headers: { 'content-type': 'application/json' } }, response => {
      readText(response, MAX_ANSWER_BYTES).then(resolve, reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}

async function readText(stream: IncomingMessage, maxBytes = MAX_BODY_BYTES): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new HubError('too-large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
