import { sha256Of } from './contents.ts'

/** A device that knows the native REST only: it keeps nothing, and sends whole files in one chunk. */
export class RestFiles {
  readonly #url: () => string
  readonly #token: string

  constructor(url: () => string, token: string) {
    this.#url = url
    this.#token = token
  }

  /** @returns the SHA-256 of what was put */
  async put(path: string, bytes: Uint8Array<ArrayBuffer>, base?: string): Promise<string> {
    const sha256 = sha256Of(bytes)
    const begun = await this.#ask('/upload', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ path, sha256, size_bytes: bytes.length, ...(base !== undefined && { base_sha256: base }) })
    })
    const { id, missing_chunks: missing } = (await begun.json()) as { id: string; missing_chunks: number[] }
    for (const index of missing)
      await this.#ask(`/upload/${id}/chunks/${index}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream' },
        body: bytes
      })
    await this.#ask(`/upload/${id}/complete`, { method: 'POST' })
    return sha256
  }

  async remove(path: string, base: string): Promise<void> {
    await this.#ask('/report', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ entries: [{ change: 'deleted', path, base_sha256: base }] })
    })
  }

  /** The SHA-256 of what is at a path; undefined when nothing is. */
  async at(path: string): Promise<string | undefined> {
    const response = await this.#fetch(`/download/${path.split('/').map(encodeURIComponent).join('/')}`, { method: 'HEAD' })
    return response.ok ? response.headers.get('etag')!.slice(1, -1) : undefined
  }

  /** Reads a content from beginning to end. @returns undefined when the account holds none such */
  async content(sha256: string): Promise<Uint8Array | undefined> {
    const response = await this.#fetch(`/download/any?sha256=${sha256}`, {})
    return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const response = await this.#fetch(path, init)
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`)
    return response
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    return fetch(`${this.#url()}/api/v1/sync${path}`, {
      ...init,
      headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${this.#token}` }
    })
  }
}
