import { ACTIONS, ERRORS, type HubError } from '../../../protocol/index.ts'

/** What documents are called on the wires of Yjs: `book/` and the book's id. */
const BOOK = /^book\/([^/]+)$/

/** Something is sent at least so often: providers leave a connection on which nothing comes for 30 seconds. */
export const KEEP_ALIVE_MS = 20_000

/** The book whose annotations a document name stands for; undefined for what can be no book's. */
export function bookOf(name: string): string | undefined {
  const found = BOOK.exec(name)?.[1]
  if (found === undefined) return undefined
  try {
    const book = decodeURIComponent(found)
    return ACTIONS['annotation.update'].key.fault(book) === undefined ? book : undefined
  } catch {
    return undefined
  }
}

/** True when it makes no sense to come back with the same. */
export const isForGood = ({ code }: HubError): boolean => ERRORS[code].retry === 'never' || ERRORS[code].retry === 'refresh'

/** The close code of an error, as providers understand it: they stay away for good on 4400 to 4499, and come back on every other. */
export function closeCodeOf(error: HubError): number {
  const { close, http } = ERRORS[error.code]
  if (isForGood(error)) return http >= 400 && http < 500 ? 4_000 + http : 4_400
  return close >= 4_400 && close < 4_500 ? 4_503 : close === 0 ? 4_500 : close
}
