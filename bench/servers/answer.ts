/** The question that every server answers, in the form of `process.on('message')`. */
interface Question {
  readonly ask: string
}

/** Tells the harness that the server is up, and answers its questions from then on. `answers` go by the name in `ask`. */
export function ready(message: object, answers: Readonly<Record<string, (question: never) => Promise<object>>> = {}): void {
  process.on('message', (question: Question) => {
    const answer = answers[question.ask] ?? resident
    void answer(question as never).then(found => process.send!(found))
  })
  process.once('disconnect', () => process.exit())
  process.send!(message)
}

/** What the harness wants of this server; each file knows the form of its own. */
export const config: unknown = JSON.parse(process.argv[2] ?? '{}')

async function resident(): Promise<object> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  return { residentKib: process.memoryUsage.rss() / 1_024 }
}
