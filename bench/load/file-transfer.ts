import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'

/** Files are made of this block, again and again. */
const BLOCK = randomBytes(2 ** 20)
const CHUNK_BYTES = 8 * 2 ** 20
const CHUNK = Buffer.concat(Array.from({ length: CHUNK_BYTES / BLOCK.length }, () => BLOCK))

/** SHA-256 of a file of so many bytes, a whole number of MiB. */
export function sha256Of(sizeBytes: number): string {
  const hash = createHash('sha256')
  for (let at = 0; at < sizeBytes; at += BLOCK.length) hash.update(BLOCK)
  return hash.digest('hex')
}

/** One client of node:http, on one connection that is kept. */
export class FileClient {
  readonly #port: number
  readonly #token: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(port: number, token = '') {
    this.#port = port
    this.#token = token
  }

  /** Sends a file as one body. @throws when other bytes arrived */
  async put(sizeBytes: number, sha256: string): Promise<void> {
    const asked = this.#ask('PUT', '/', { 'content-length': String(sizeBytes) })
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES)
      if (!asked.write(CHUNK.subarray(0, Math.min(CHUNK_BYTES, sizeBytes - at)))) await once(asked, 'drain')
    asked.end()
    if ((await textOf(await answerTo(asked))) !== sha256) throw new Error('the server has other bytes')
  }

  /** Uploads a file to the hub, one chunk behind the other. */
  async upload(path: string, sizeBytes: number, sha256: string): Promise<void> {
    const { id } = await this.#json(
      'POST',
      '/upload',
      Buffer.from(JSON.stringify({ path, size_bytes: sizeBytes, sha256, chunk_bytes: CHUNK_BYTES }))
    )
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES)
      await this.#json(
        'PUT',
        `/upload/${id}/chunks/${at / CHUNK_BYTES}`,
        CHUNK.subarray(0, Math.min(CHUNK_BYTES, sizeBytes - at))
      )
    await this.#json('POST', `/upload/${id}/complete`)
  }

  /** Reads a file, and looks at no byte of it. @throws when it is not as long */
  async get(path: string, sizeBytes: number): Promise<void> {
    const asked = this.#ask('GET', path)
    asked.end()
    const answer = await answerTo(asked)
    let count = 0
    answer.on('data', (part: Buffer) => (count += part.length))
    await once(answer, 'end')
    if (count !== sizeBytes) throw new Error(`${count} bytes came of ${sizeBytes}`)
  }

  close(): void {
    this.#agent.destroy()
  }

  async #json(method: string, path: string, body?: Buffer): Promise<{ id: string }> {
    const type = method === 'PUT' ? 'application/octet-stream' : 'application/json'
    const asked = this.#ask(
      method,
      `/api/v1/sync${path}`,
      body && { 'content-type': type, 'content-length': String(body.length) }
    )
    asked.end(body)
    const answer = await answerTo(asked)
    const text = await textOf(answer)
    if (answer.statusCode !== 200) throw new Error(text)
    return JSON.parse(text) as { id: string }
  }

  #ask(method: string, path: string, headers: Record<string, string> = {}) {
    const authorization = `Bearer ${this.#token}`
    return request({
      host: '127.0.0.1',
      port: this.#port,
      method,
      path,
      agent: this.#agent,
      headers: { authorization, ...headers }
    })
  }
}

async function answerTo(asked: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return answer
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of answer) text += String(part)
  return text
}
