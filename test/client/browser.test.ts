import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { isBrowserThere, openBrowser } from '../util/browser.ts'
import { suite, type TestContext } from '../util/suite.ts'
import { FakeHub } from './fake-hub.ts'
import type { PAGE as InPage } from './page.ts'
import { serveFakeHub } from './serve-fake-hub.ts'

declare const PAGE: typeof InPage

const test = suite('client/browser')

const sourceOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** One source and all that it imports, as a browser loads it. Fails on anything that only Node has. */
async function bundle(path: string): Promise<{ code: string; inputs: string[] }> {
  const options = { bundle: true, platform: 'browser', format: 'esm', write: false, metafile: true, logLevel: 'silent' } as const
  const { outputFiles, metafile } = await build({ ...options, entryPoints: [sourceOf(path)] })
  return { code: outputFiles[0]!.text, inputs: Object.keys(metafile.inputs) }
}

/** A fake hub on a real port, which serves the SDK to pages too. */
async function serve(context: TestContext): Promise<{ hub: FakeHub; origin: string }> {
  const files = new Map([
    ['/', '<!doctype html><title>Lectern</title><script type="module" src="/page.js"></script>'],
    ['/page.js', (await bundle('./page.ts')).code]
  ])
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? '')
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': request.url === '/' ? 'text/html' : 'text/javascript' })
    response.end(file)
  })
  return serveFakeHub(context, server, '/live')
}

async function openPage(context: TestContext, origin: string): Promise<Page> {
  const page = await (await openBrowser(context)).newPage()
  await page.goto(origin)
  return page
}

test('the SDK bundles for browsers without anything of Node', async () => {
  const { inputs, code } = await bundle('../../client/index.ts')
  assert.equal(
    inputs.filter(input => /node_modules\/ws\/|client\/node/.test(input)),
    []
  )
  assert.not.match(code, /["']node:/)
})

if (isBrowserThere('the SDK in a browser')) {
  test('IndexedDB keeps to the storage contract in a browser', async context => {
    const { origin } = await serve(context)
    const page = await openPage(context, origin)
    const [facts, failed] = await page.evaluate(() => PAGE.checkStorage())
    assert.ok(facts > 5)
    assert.equal(failed, [])
  })

  test('one page at a time has a storage', async context => {
    const { origin } = await serve(context)
    const page = await openPage(context, origin)
    assert.is(await page.evaluate(() => PAGE.openTwice()), 'StorageTakenError')
  })

  test('a page whose site data is cleared closes its client with the reason', async context => {
    const { origin } = await serve(context)
    const page = await openPage(context, origin)
    await page.evaluate(url => PAGE.begin(url), origin)
    const browser = await page.context().newCDPSession(page)
    await browser.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' })
    assert.equal(await page.evaluate(() => PAGE.putCleared()), ['StorageFailedError', 'closed', true, []])
  })

  test('a page goes live, annotates, and after a reload has it all and is caught up', async context => {
    const { hub, origin } = await serve(context)
    const page = await openPage(context, origin)
    const visit = (quote: string): Promise<unknown> =>
      page.evaluate(([url, quote]) => PAGE.visit(url, quote), [origin, quote] as const)
    hub.tell('book.put', 'b1', { title: 'Emma' })
    assert.equal(await visit('first'), [[], ['first'], 'Emma', 'live'])
    await page.reload()
    hub.tell('book.put', 'b1', { title: 'Emma, again' })
    assert.equal(await visit('second'), [['first'], ['first', 'second'], 'Emma, again', 'live'])
    assert.equal([hub.all('hello')[1]!.cursor, hub.log.length], [2, 4])
  })
}

test.run()
