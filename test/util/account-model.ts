import { isDeepStrictEqual } from 'node:util'
import type { Plain } from '../../protocol/index.ts'
import type { TestAction } from './core-hub.ts'

type Fields = { [field: string]: Plain }
type Answer = number | string

/** What one outbox has asked and been answered. */
interface Outbox {
  last: number
  confirmed: number
  readonly asked: Map<number, { readonly action: TestAction; readonly answer: Answer }>
}

/** An account as the README explains it, in maps and a few lines: what the hub's views and answers are compared with. */
export class AccountModel {
  head: number
  readonly books = new Map<string, { fields: Fields; identifiers: Fields; removed: boolean; cursor: number }>()
  /** Which book each identifier names. */
  readonly named = new Map<string, string>()
  readonly positions = new Map<string, { fields: Fields; client: string; atMs: number; cursor: number }>()
  readonly settings = new Map<string, { value: Plain; cursor: number }>()
  readonly annotations = new Map<string, Map<string, Fields>>()
  readonly outboxes = new Map<string, Outbox>()

  constructor(head: number) {
    this.head = head
  }

  outbox(device: string, client: string): Outbox {
    const name = `${device}/${client}`
    let outbox = this.outboxes.get(name)
    if (outbox === undefined) this.outboxes.set(name, (outbox = { last: 0, confirmed: 0, asked: new Map() }))
    return outbox
  }

  /**
   * The answers that fit an action; several where a crash may have undone a confirmation.
   * @param logMs when the newest change was made
   */
  ask(device: string, client: string, action: TestAction, nowMs: number, logMs: number): Answer[] {
    const outbox = this.outbox(device, client)
    const [number, kind, key, body, atMs = 0] = action
    if (number <= outbox.last) {
      const first = outbox.asked.get(number)
      if (first === undefined) return ['already-done']
      const isSame = JSON.stringify(first.action.slice(1, 4)) === JSON.stringify([kind, key, body])
      const answer = isSame ? first.answer : 'action-conflict'
      return number <= outbox.confirmed ? [answer, 'already-done'] : [answer]
    }
    const isPutBack = kind === 'position.set' && logMs - nowMs > 1_000
    const claimedMs = isPutBack ? logMs : Math.min(atMs, Math.floor(nowMs))
    const answer = this.#apply(device, client, kind, key, body as Fields, claimedMs)
    outbox.last = number
    outbox.asked.set(number, { action, answer })
    return [answer]
  }

  #apply(device: string, client: string, kind: string, key: string, body: Fields, atMs: number): Answer {
    const cursor = this.head + 1
    const book = this.books.get(key)
    const annotations = this.annotations.get(key) ?? new Map<string, Fields>()
    const id = body['id'] as string
    const known = annotations.get(id)
    switch (kind) {
      case 'setting.put':
        this.settings.set(key, { value: body['value']!, cursor })
        break
      case 'book.put': {
        const { identifiers, ...given } = body
        for (const [identifier, source] of Object.entries((identifiers as Fields | undefined) ?? {}))
          if (source !== null) this.named.set(identifier, key)
          else if (this.named.get(identifier) === key) this.named.delete(identifier)
        this.books.set(key, {
          fields: merged(book?.fields ?? {}, given),
          identifiers: merged(book?.identifiers ?? {}, (identifiers as Fields | undefined) ?? {}),
          removed: book?.removed ?? false,
          cursor
        })
        break
      }
      case 'book.remove':
      case 'book.restore':
        if (book === undefined) return 'not-found'
        this.books.set(key, { ...book, removed: kind === 'book.remove', cursor })
        break
      case 'position.set': {
        const last = this.positions.get(`${key}/${device}`)
        const isStale = last !== undefined && last.client !== client && atMs < last.atMs
        if (!isStale) this.positions.set(`${key}/${device}`, { fields: body, client, atMs, cursor })
        break
      }
      case 'annotation.put': {
        const { id: _, ...fields } = body
        const note = 'note' in fields ? { note: fields['note'] ?? '' } : {}
        const next = merged(known ?? { note: '', createdAtMs: atMs }, { ...fields, ...note })
        if (known === undefined || !isDeepStrictEqual(next, known)) annotations.set(id, merged(next, { updatedAtMs: atMs }))
        break
      }
      case 'annotation.remove':
      case 'annotation.restore':
        if (known === undefined) return 'not-found'
        if (Object.hasOwn(known, 'removedAtMs') !== (kind === 'annotation.remove'))
          annotations.set(id, merged(known, { removedAtMs: kind === 'annotation.remove' ? atMs : null }))
        break
      default:
        return 'unknown-action'
    }
    if (annotations.size > 0) this.annotations.set(key, annotations)
    this.head = cursor
    return cursor
  }
}

const merged = (known: Fields, given: Fields): Fields =>
  Object.fromEntries(Object.entries({ ...known, ...given }).filter(([, value]) => value !== null))
