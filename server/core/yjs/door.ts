import { ACTIONS, ERRORS, HubError } from '../../../protocol/index.ts'

/** What documents are called on the wires of Yjs: `book/` and the book's id. */
const BOOK = /^book\/([^/]+)$/

/** The book whose annotations a document name stands for. @throws HubError `not-found` for what can be no book's */
export function bookOf(name: string): string {
  const book = decoded(BOOK.exec(name)?.[1])
  if (book === undefined || ACTIONS['annotation.update'].key.fault(book) !== undefined)
    throw new HubError('not-found', 'a document is called book/ and the id of a book')
  return book
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text)
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
