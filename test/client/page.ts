import { IndexedDbStorage, connect } from '../../client/index.ts'
import { STORAGE_FACTS } from '../contract/client-storage.ts'

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
