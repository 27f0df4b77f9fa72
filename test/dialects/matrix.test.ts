import { randomBytes, randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { connectNode, type Client } from '../../client/node.ts'
import { isSameValue } from '../../protocol/index.ts'
import { operate } from '../../server/operations.ts'
import { restHub } from '../util/rest-hub.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { bookNumber } from './epub/reading-app.ts'
import {
  epubWay,
  feedWay,
  kosyncWay,
  lecternWay,
  restWay,
  THINGS,
  yjsWay,
  type Facts,
  type MatrixBook,
  type Thing,
  type Way
} from './matrix-ways.ts'

const test = suite('dialects/matrix')

/** What each way can say of a thing; left out, all of it. */
const CARRIED: Readonly<Record<string, Partial<Record<Thing, readonly string[]>>>> = {
  'epub JSON': { position: ['chapter', 'href'] },
  'epub XML': { position: ['chapter', 'href'] },
  'epub form': { position: ['chapter', 'href'] },
  kosync: { position: ['progression', 'xpointer'] }
}
/** The same of those that read. The reading app shows places of others in members of its own. */
const READ: typeof CARRIED = { kosync: CARRIED['kosync']!, 'the library feed': { position: ['progression'] } }

const FACTS: { readonly [T in Thing]: (title: string, index: number) => Facts } = {
  annotation: (_, index) => ({
    quote: `“quote <${index}> & more”`,
    note: `note ${index}\nof two lines`,
    color: `#00000${index}`,
    chapter: `Chapter ${index}`
  }),
  removal: () => ({ isRemoved: 'true' }),
  position: (_, index) => ({
    progression: String((index + 1) / 16),
    chapter: `Chapter ${index}`,
    href: `OEBPS/${index}.xhtml`,
    xpointer: `/body/DocFragment[${index + 2}]/body/p[7]/text().12`
  }),
  book: (title, index) => ({ title, author: `Author ${index}`, publisher: 'Müller & Söhne', description: `About <${index}>` }),
  setting: (_, index) => ({ height: String(100 + index) })
}

const only = (facts: Facts, names: readonly string[] | undefined): Facts =>
  names === undefined ? facts : Object.fromEntries(Object.entries(facts).filter(([name]) => names.includes(name)))

/** Reads until it is as it should be: what is live comes when it comes. */
async function becomes(read: () => Promise<Facts | undefined> | Facts | undefined, wanted: Facts, where: string): Promise<void> {
  for (const end = Date.now() + 20_000; ;) {
    const found = await read()
    const seen = found && only(found, Object.keys(wanted))
    if (isSameValue(seen, wanted)) return
    if (Date.now() > end) assert.equal(seen, wanted, where)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

async function ways(context: TestContext): Promise<{ all: Way[]; sdk: Client }> {
  const hub = await restHub(context)
  const [session, editor, plain] = [await hub.device(), await hub.device(), await hub.device()]
  const sdk = await connectNode({ url: hub.url, token: session.token })
  context.defer(() => sdk.close())
  await sdk.live()
  await operate(hub.own!, 'account.kosync', { account: hub.account, password: 'page turner' })
  return {
    sdk,
    all: [
      lecternWay(sdk),
      yjsWay(context, hub.url, editor.token),
      epubWay(hub, 'JSON', 'application/json'),
      epubWay(hub, 'XML', 'application/xml'),
      epubWay(hub, 'form', 'application/json'),
      restWay(hub, plain.token),
      feedWay(hub, plain.token),
      kosyncWay(hub.url, hub.account, 'page turner')
    ]
  }
}

test('what is written by one way is read the same by every other: annotations and their removal, places, books and settings', async context => {
  if (process.env['LECTERN_URL']) {
    process.stdout.write("SKIPPED: KOReader's key is set on a hub of this test's own\n")
    return
  }
  const { all, sdk } = await ways(context)
  const keeper = all[0]!
  let cells = 0
  for (const [index, writer] of all.entries()) {
    if (Object.keys(writer.write).length === 0) continue
    const number = writer.name.startsWith('epub') ? bookNumber() : undefined
    const document = randomBytes(16).toString('hex')
    const book: MatrixBook = {
      id: number === undefined ? `book-${index}` : `epub-${number}`,
      title: `Book ${index} of ${writer.name}`,
      document,
      number
    }
    // Who writes no books has one that a session made.
    await (writer.write.book ?? keeper.write.book!)(book, FACTS.book(book.title, index), '')
    await sdk.putBook(book.id, { identifiers: { [`koreader:${document}`]: 'test' } })
    // What is removed is the annotation before.
    const id = randomUUID()
    for (const thing of THINGS) {
      const write = writer.write[thing]
      if (write === undefined) continue
      const facts = only(FACTS[thing](book.title, index), CARRIED[writer.name]?.[thing])
      if (thing !== 'book') await write(book, facts, id)
      for (const reader of all) {
        const read = reader.read[thing]
        if (read === undefined) continue
        const wanted = only(facts, READ[reader.name]?.[thing])
        if (Object.keys(wanted).length === 0) continue
        await becomes(() => read(book, id), wanted, `the ${thing} of ${writer.name}, read by ${reader.name}`)
        cells += 1
      }
    }
  }
  process.stdout.write(`FIGURE: ${cells} cells of what one way wrote and another read, all equal\n`)
})

test.run()
