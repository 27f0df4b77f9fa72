import type { Client, ClientEvents, ClientStorage } from '../../../client/index.ts'
import { unsentStorages, type Kept } from './kept.ts'

/** What was asked for in windows that are closed. Perhaps nobody opens as many again, and it would stay there. */
export class ClosedWindows {
  readonly #signedIn: Kept
  readonly #connect: (storage: ClientStorage) => Promise<Client>
  /** Those that send it. */
  readonly #clients = new Set<Client>()
  /** What looks through the storages waits for whatever did before: to each, one that the other has open looks like a window's. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(signedIn: Kept, connect: (storage: ClientStorage) => Promise<Client>) {
    this.#signedIn = signedIn
    this.#connect = connect
  }

  /** Begins to send it. @param refused hears of what the hub does not take */
  send(refused: (...details: ClientEvents['refused']) => void): Promise<void> {
    return this.#inTurn(async () => {
      for await (const storage of unsentStorages(this.#signedIn)) {
        try {
          this.#started(await this.#connect(storage), refused)
        } catch (error) {
          // It has closed the storage; those of other windows may do.
          console.warn(error)
        }
      }
    })
  }

  hasUnsent(): Promise<boolean> {
    return this.#inTurn(async () => {
      for (const { unanswered } of this.#clients) if (unanswered > 0) return true
      for await (const storage of unsentStorages(this.#signedIn)) {
        await storage.close()
        return true
      }
      return false
    })
  }

  /** Ends what is being sent. */
  close(): Promise<unknown> {
    return this.#inTurn(() => Promise.all([...this.#clients].map(client => this.#end(client))))
  }

  #started(client: Client, refused: (...details: ClientEvents['refused']) => void): void {
    const end = (): void => void this.#end(client).catch((error: unknown) => console.error(error))
    this.#clients.add(client)
    client.on('refused', refused)
    // Shut out, by itself it would wait for answers for ever.
    client.on('state', (_, reason) => reason !== undefined && end())
    client.on('error', error => console.error(error))
    client
      .live()
      .then(() => client.settled())
      .then(end, end)
  }

  #end(client: Client): Promise<void> {
    return client.close().finally(() => this.#clients.delete(client))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }
}
