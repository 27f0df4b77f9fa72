import { IndexedDbStorage, StorageFailedError, connect, type Client } from '../../client/index.ts'
import { STORAGE_FACTS } from '../contract/client-storage.ts'

let begun: Client | undefined

/** What the browser test runs in its page, which loads this file bundled. */
export const PAGE = {
  /** Checks IndexedDB's contract. @returns how many facts there are, and those that do not hold */
  async checkStorage(): Promise<[facts: number, failed: string[]]> {
    const failed: string[] = []
    for (const [index, { fact, check }] of STORAGE_FACTS.entries()) {
      const place = { open: (name: string) => IndexedDbStorage.open(`${index} ${name}`), isLasting: true }
      await check(place).catch((error: unknown) => failed.push(`${fact}: ${String(error)}`))
    }
    return [STORAGE_FACTS.length, failed]
  },

  /** Opens one storage twice. @returns the name of what came of it */
  async openTwice(): Promise<string> {
    const first = await IndexedDbStorage.open('taken')
    const outcome = await IndexedDbStorage.open('taken').then(
      () => 'opened',
      (error: Error) => error.name
    )
    const waiting = IndexedDbStorage.open('taken', { wait: true })
    await first.close()
    await (await waiting).close()
    return outcome
  },

  /** Leaves a client behind that is live. */
  async begin(url: string): Promise<void> {
    begun = await connect({ url, token: 'page', storage: await IndexedDbStorage.open('cleared') })
    await begun.live()
    await begun.putBook('b1', { title: 'Emma' })
  },

  /** Asks something of that client. @returns what came of it, the client's state, whether its reason says that the storage is gone, and which databases there are */
  async putCleared(): Promise<unknown[]> {
    const client = begun!
    const outcome = await client.putBook('b2', { title: 'Persuasion' }).then(
      () => 'taken',
      (error: Error) => error.name
    )
    const { state, reason } = client
    await client.close()
    const { indexedDB } = globalThis as unknown as { indexedDB: { databases(): Promise<{ readonly name: string }[]> } }
    const databases = await indexedDB.databases()
    return [outcome, state, reason instanceof StorageFailedError && reason.isGone, databases.map(({ name }) => name)]
  },

  /** One visit of a reader, who leaves an annotation. @returns what was there before and after */
  async visit(url: string, quote: string): Promise<unknown[]> {
    const client = await connect({ url, token: 'page', storage: await IndexedDbStorage.open('lectern') })
    const notes = await client.annotations('b1')
    const quotes = (): unknown[] => notes.list().map(annotation => annotation.quote)
    const stored = quotes()
    await client.live()
    notes.put({ id: quote, quote })
    await client.settled()
    const found = [stored, quotes(), client.books.get('b1')?.title, client.state]
    await client.close()
    return found
  }
}

Object.assign(globalThis, { PAGE })
