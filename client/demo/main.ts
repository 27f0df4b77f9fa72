import { readFileSync, statSync } from 'node:fs'
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
const wrong = files.map(faultOf).find(fault => fault !== undefined)
if (wrong !== undefined) {
  process.stderr.write(`demo: ${wrong}\n`)
  process.exit(2)
}

/** What keeps a file from being shown. */
function faultOf(file: string): string | undefined {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return `there is no file ${file}`
  const isGzip = readFileSync(file).subarray(0, 2).toString('hex') === '1f8b'
  if (isTrace && !isGzip) return `${file} is no trace (gzipped JSON); leave --trace out for an EPUB`
  return isGzip && !isTrace ? `${file} is no EPUB; is it a trace? Then: npm run demo -- --trace ${file}` : undefined
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
