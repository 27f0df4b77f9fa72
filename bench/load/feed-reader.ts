import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'

const PAGE = 100

interface Page {
  readonly data: readonly { readonly id: string }[]
  readonly pagination: { readonly total: number; readonly totalPages: number }
  readonly serverTime: string
}

/** A client of the library feed, on one connection that is kept. */
export class FeedReader {
  readonly #port: number
  readonly #token: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(port: number, token: string) {
    this.#port = port
    this.#token = token
  }

  /**
   * Reads all pages of a drain, one after the other.
   * @param since the `serverTime` of an earlier one; left out, the whole library
   * @throws when a page is refused, or a book comes twice
   */
  async drain(since?: string): Promise<{ books: readonly string[]; serverTime: string }> {
    const told = new Set<string>()
    for (let page = 1; ; page++) {
      const query = since === undefined ? '' : `&since=${since}`
      const { data, pagination, serverTime } = JSON.parse(
        await this.#ask('GET', `/sync?limit=${PAGE}&page=${page}${query}`)
      ) as Page
      for (const { id } of data) told.add(id)
      if (page < pagination.totalPages) continue
      if (told.size !== pagination.total) throw new Error(`${told.size} of ${pagination.total} books were told`)
      return { books: [...told], serverTime }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Sets the status of a book by hand. */
  async change(book: string): Promise<void> {
    await this.#ask('PATCH', `/${book}/reading-status`, JSON.stringify({ status: 'reading' }))
  }

  async #ask(method: string, path: string, body?: string): Promise<string> {
    const asked = request({
      host: '127.0.0.1',
      port: this.#port,
      method,
      path: `/api/library${path}`,
      agent: this.#agent,
      headers: { 'x-api-key': this.#token }
    })
    asked.end(body)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    let text = ''
    for await (const part of answer.setEncoding('utf8')) text += String(part)
    if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`)
    return text
  }
}
