import { key, LIMITS } from '../../protocol/index.ts'
import type { Change } from './change.ts'
import type { Views } from './views.ts'

const nameShape = key(LIMITS.maxMapKeyBytes)

/** False for an identifier that cannot be the key of a record: it stays with its book, and finds nothing. */
const isName = (identifier: string): boolean => nameShape.fault(identifier) === undefined

/**
 * The book that an identifier names, such as `isbn:9780306406157`: of several that have it, the one that got it last. A removed book is still named.
 * @param identifier `type:value`, as it was put; any text
 */
export function bookBy(views: Views, identifier: string): string | undefined {
  return isName(identifier) ? views.get('identifiers', identifier)?.book : undefined
}

/** The first identifier that a book has of the first of these types, without the type; undefined when it has none. */
export function identifierIn(identifiers: Readonly<Record<string, string>>, ...types: readonly string[]): string | undefined {
  for (const type of types) {
    const found = Object.keys(identifiers).find(identifier => identifier.startsWith(`${type}:`))
    if (found !== undefined) return found.slice(type.length + 1)
  }
  return undefined
}

/** From here on each identifier that was put names this book. One that was taken away names none, unless it names another. */
export function foldIdentifiers(views: Views, { key: book, body, cursor }: Change<'book.put'>): void {
  for (const [identifier, source] of Object.entries(body.identifiers ?? {})) {
    if (!isName(identifier)) continue
    if (source !== null) views.put('identifiers', [identifier], { book, cursor })
    else if ([undefined, book].includes(views.get('identifiers', identifier)?.book))
      views.put('identifiers', [identifier], { cursor })
  }
}
