import { encodeValue, LIMITS, type ChangeParts, type Refusal, type RunWriter } from '../../protocol/index.ts'
import type { Note } from './change.ts'
import type { StoredRun } from './store.ts'

/** The answers to some actions. */
export interface Answers {
  readonly accepted: readonly Accepted[]
  readonly refused: readonly Refusal[]
}

export type Accepted = [number: number, cursor: number]

/** Someone who waits for the answers to actions: they come once what they speak of is durable. */
export interface Submitter {
  answered(answers: Answers): void
}

/** The list with one more item; undefined stands for an empty one. A list that is made with what it holds has no room to spare, and most that wait for the disk hold one. */
function joined<T>(list: T[] | undefined, item: T): T[] {
  if (list === undefined) return [item]
  list.push(item)
  return list
}

/** The answers that a submitter is to be given. */
export class SubmitterAnswers implements Answers {
  readonly submitter: Submitter
  #accepted: Accepted[] | undefined
  #refused: Refusal[] | undefined

  constructor(submitter: Submitter) {
    this.submitter = submitter
  }

  get accepted(): readonly Accepted[] {
    return this.#accepted ?? []
  }

  get refused(): readonly Refusal[] {
    return this.#refused ?? []
  }

  accept(number: number, cursor: number): void {
    this.#accepted = joined(this.#accepted, [number, cursor])
  }

  refuse(refusal: Refusal): void {
    this.#refused = joined(this.#refused, refusal)
  }
}

/** A run, with the frame that it goes out in. */
export type FramedRun = StoredRun & { readonly frame: Uint8Array }

/** What one account has gathered for its next commit: changes in runs, and those who wait for it to be durable. */
export class PendingCommit {
  #runs: FramedRun[] | undefined
  #answers: SubmitterAnswers[] | undefined
  #tasks: (() => void)[] | undefined
  readonly #writer: RunWriter
  #notes: Note[] | undefined
  /** The newest change that was added. */
  #head = 0

  /** @param writer empty, and used by one pending commit at a time */
  constructor(writer: RunWriter) {
    this.#writer = writer
  }

  get isEmpty(): boolean {
    return this.#writer.count === 0 && (this.#runs ?? this.#answers ?? this.#tasks) === undefined
  }

  get runs(): readonly FramedRun[] {
    return this.#runs ?? []
  }

  get answers(): readonly SubmitterAnswers[] {
    return this.#answers ?? []
  }

  /** The tasks to run once all of this is durable. */
  get tasks(): readonly (() => void)[] {
    return this.#tasks ?? []
  }

  /** Gathers the answers for `submitter`. */
  answersFor(submitter: Submitter): SubmitterAnswers {
    let answers = this.#answers?.findLast(answers => answers.submitter === submitter)
    if (answers === undefined) this.#answers = joined(this.#answers, (answers = new SubmitterAnswers(submitter)))
    return answers
  }

  whenDurable(task: () => void): void {
    this.#tasks = joined(this.#tasks, task)
  }

  add(change: ChangeParts, note: Note): void {
    this.#writer.add(change)
    this.#notes = joined(this.#notes, note)
    this.#head = change.cursor
    if (this.#writer.byteLength >= LIMITS.changesFrameBytes) this.close()
  }

  /** Ends the run that is being written. */
  close(): void {
    if (this.#writer.count === 0) return
    const { run, frame, count } = this.#writer.take()
    this.#runs = joined(this.#runs, { first: this.#head - count + 1, count, run, frame, notes: encodeValue(this.#notes!) })
    this.#notes = undefined
  }
}
