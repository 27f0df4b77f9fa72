import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { CHUNK_BYTES, chunkOf, sha256Of } from './contents.ts'

/** An answer, with what its body says. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  // Whatever the hub says: tests look at single fields.
  readonly json: any
  readonly bytes: Buffer
}

/** A client of the native REST, for files: what a person would write with any HTTP client. */
export class FilesClient {
  readonly base: string
  readonly token: string
  readonly folder: string

  /**
   * @param base such as `http://127.0.0.1:4747/api/v1/sync`
   * @param folder where all its paths are, with a slash behind it: so that a suite does not meet its own files on a hub that it visited before
   */
  constructor(base: string, token: string, folder = '') {
    this.base = base
    this.token = token
    this.folder = folder
  }

  async ask(
    method: string,
    path: string,
    init: { body?: Uint8Array | string; headers?: Record<string, string> } = {}
  ): Promise<Answered> {
    const headers = { ...(this.token !== '' && { authorization: `Bearer ${this.token}` }), ...init.headers }
    const asked = request(this.base + path, { method, headers, agent: false })
    asked.end(init.body)
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const parts: Buffer[] = []
    for await (const part of response) parts.push(part as Buffer)
    const bytes = Buffer.concat(parts)
    const isJson = /json/.test(response.headers['content-type'] ?? '')
    const json: unknown = isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : undefined
    return { status: response.statusCode!, headers: new Headers(response.headers as Record<string, string>), json, bytes }
  }

  begin(path: string, bytes: Uint8Array, more: object = {}): Promise<Answered> {
    const body = {
      path: this.folder + path,
      size_bytes: bytes.length,
      sha256: sha256Of(bytes),
      chunk_bytes: CHUNK_BYTES,
      ...more
    }
    return this.ask('POST', '/upload', { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  }

  status(id: string): Promise<Answered> {
    return this.ask('GET', `/upload/${id}`)
  }

  chunk(id: string, index: number | string, body: Uint8Array, headers: Record<string, string> = {}): Promise<Answered> {
    return this.ask('PUT', `/upload/${id}/chunks/${index}`, {
      body,
      headers: { 'content-type': 'application/octet-stream', ...headers }
    })
  }

  complete(id: string): Promise<Answered> {
    return this.ask('POST', `/upload/${id}/complete`)
  }

  cancel(id: string): Promise<Answered> {
    return this.ask('DELETE', `/upload/${id}`)
  }

  download(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answered> {
    return this.ask(method, `/download/${(this.folder + path).split('/').map(encodeURIComponent).join('/')}`, { headers })
  }

  /** Uploads a file from beginning to end. @returns what the completion says */
  async upload(path: string, bytes: Uint8Array, more: object = {}): Promise<Answered> {
    const { json, status, bytes: said } = await this.begin(path, bytes, more)
    if (status !== 200) throw new Error(said.toString())
    for (const index of json.missing_chunks as number[]) {
      const sent = await this.chunk(json.id as string, index, chunkOf(bytes, index, json.chunk_bytes as number))
      if (sent.status !== 200) throw new Error(sent.bytes.toString())
    }
    return this.complete(json.id as string)
  }
}
