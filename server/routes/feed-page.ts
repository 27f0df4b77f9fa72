import type { Frame, HubError, WireChange } from '../../protocol/index.ts'
import type { Clock } from '../core/ports.ts'
import { FeedAnswer } from './feed-answer.ts'

/** How a page calls things: the members of its object that come first and last, and its changes. */
export interface PageWords {
  begin(epoch: string, head: number): string
  change(change: WireChange, epoch: string): string
  end(epoch: string, cursor: number, hasMore: boolean): string
}

export interface PageParts {
  /** Where it begins. */
  readonly cursor: number
  /** How many changes it may hold. */
  readonly limit: number
  readonly words: PageWords
  /** With nothing to tell it waits for so long. */
  readonly wait?: { readonly clock: Clock; readonly ms: number }
}

/** One page of JSON, written as it is read, so that a snapshot of any size needs no memory. */
export class FeedPage extends FeedAnswer {
  readonly #parts: PageParts
  #epoch = ''
  #cursor: number
  #count = 0
  #hasBegunAnew = false
  /** The list that is being written. */
  #list: 'snapshot' | 'changes' | undefined
  #isAtHead = false
  #isFinished = false
  #cancelTimer: (() => void) | undefined

  constructor(respond: (response: Response) => void, parts: PageParts) {
    super(respond, 'application/json')
    this.#parts = parts
    this.#cursor = parts.cursor
  }

  override begin(epoch: string, head: number): void {
    super.begin(epoch, head)
    this.#epoch = epoch
    this.write(`{${this.#parts.words.begin(epoch, head)}`)
  }

  frame(frame: Frame<'changes' | 'resync' | 'snapshot'>): void {
    if (this.#isFinished) return
    const { limit, words } = this.#parts
    if (frame.kind === 'resync') {
      // The log was trimmed under way: what was read so far is sound, and the next page begins anew.
      if (this.#hasBegunAnew || this.#count > 0) return this.finish()
      this.#hasBegunAnew = true
      this.#cursor = frame.cursor
      this.write(`,"resync":${JSON.stringify(frame.code)}`)
    } else if (frame.kind === 'snapshot') {
      this.#items(
        'snapshot',
        frame.entries.map(change => words.change(change, this.#epoch))
      )
      if (frame.isLast) this.#endList()
    } else {
      const changes = frame.changes.slice(0, limit - this.#count)
      this.#items(
        'changes',
        changes.map(change => words.change(change, this.#epoch))
      )
      this.#count += changes.length
      this.#cursor = changes.at(-1)![0]
      if (this.#isAtHead || this.#count === limit) this.finish()
    }
  }

  atHead(): void {
    this.#isAtHead = true
    const { wait } = this.#parts
    if (wait === undefined || this.#count > 0 || this.#hasBegunAnew) this.finish()
    else this.#cancelTimer = wait.clock.setTimer(wait.ms, () => this.finish())
  }

  protected override interrupt({ code, message }: HubError): void {
    if (this.#isFinished) return
    this.#endList()
    this.write(`,"error":${JSON.stringify({ code, message })}`)
  }

  protected override finish(): void {
    if (this.#isFinished) return
    this.#isFinished = true
    this.#cancelTimer?.()
    if (this.#list !== 'changes') this.#items('changes', [])
    this.#endList()
    this.write(`,${this.#parts.words.end(this.#epoch, this.#cursor, this.#cursor < (this.feed?.head ?? 0))}}\n`)
    super.finish()
  }

  #items(list: 'snapshot' | 'changes', items: readonly string[]): void {
    const isNew = this.#list !== list
    if (isNew) this.#endList()
    this.#list = list
    this.write(`${isNew ? `,"${list}":[` : items.length > 0 ? ',' : ''}${items.join(',')}`)
  }

  #endList(): void {
    if (this.#list !== undefined) this.write(']')
    this.#list = undefined
  }
}
