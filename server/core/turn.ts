import { encodeValue, LIMITS, type ChangeParts, type Refusal, type RunWriter } from '../../protocol/index.ts'
import type { Note } from './fold.ts'
import type { StoredRun } from './store.ts'

/** The answers to some actions. */
export interface Answers {
  readonly accepted: [number: number, cursor: number][]
  readonly refused: Refusal[]
}

/** Someone who waits for the answers to actions: they come once what they speak of is durable. */
export interface Submitter {
  answered(answers: Answers): void
}

interface SubmitterAnswers extends Answers {
  readonly submitter: Submitter
}

/** A run, with the frame that it goes out in. */
export type FramedRun = StoredRun & { readonly frame: Uint8Array }

/** What one account gathers in one turn, for one commit: changes in runs, and those who wait for it to be durable. */
export class Turn {
  readonly runs: FramedRun[] = []
  readonly answers: SubmitterAnswers[] = []
  readonly whenDurable: (() => void)[] = []
  readonly #writer: RunWriter
  #notes: Note[] = []
  /** The newest change that was added. */
  #head = 0

  /** @param writer empty, and used by one turn at a time */
  constructor(writer: RunWriter) {
    this.#writer = writer
  }

  get isEmpty(): boolean {
    return this.#writer.count + this.runs.length + this.answers.length + this.whenDurable.length === 0
  }

  /** Where the answers for `submitter` are gathered. */
  answersFor(submitter: Submitter): Answers {
    let answers = this.answers.findLast(answers => answers.submitter === submitter)
    if (answers === undefined) this.answers.push((answers = { submitter, accepted: [], refused: [] }))
    return answers
  }

  add(change: ChangeParts, note: Note): void {
    this.#writer.add(change)
    this.#notes.push(note)
    this.#head = change.cursor
    if (this.#writer.byteLength >= LIMITS.changesFrameBytes) this.close()
  }

  /** Ends the run that is being written. */
  close(): void {
    if (this.#writer.count === 0) return
    const { run, frame, count } = this.#writer.take()
    this.runs.push({ first: this.#head - count + 1, count, run, frame, notes: encodeValue(this.#notes) })
    this.#notes = []
  }
}
