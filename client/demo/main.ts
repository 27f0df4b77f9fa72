import { existsSync } from 'node:fs'
import { tellBookStory } from './book-story.ts'
import { Report } from './report.ts'
import { tellTraceStory } from './trace-story.ts'

const words = process.argv.slice(2)
const isTrace = words.includes('--trace')
const files = words.filter(word => word !== '--trace')
const report = new Report()

if (files.length === 0) {
  process.stderr.write('usage: npm run demo -- BOOK.epub …\n       npm run demo -- --trace TRACE.json.gz\n')
  process.exit(2)
}
const missing = files.find(file => !existsSync(file))
if (missing !== undefined) {
  process.stderr.write(`demo: there is no file ${missing}\n`)
  process.exit(2)
}

async function tell(): Promise<void> {
  for (const file of files) await (isTrace ? tellTraceStory(file, report) : tellBookStory(file, report))
  report.say(report.isGood ? '\nEvery promise shown was kept.' : '\nA promise was broken.')
}

tell().then(
  () => process.exit(report.isGood ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`demo: ${(error as Error).message}\n`)
    process.exit(1)
  }
)
