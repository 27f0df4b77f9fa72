import type { BrowserContext, Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { decodeFrame, encodeFrame, LIMITS } from '../../../protocol/index.ts'
import { updateDevice } from '../../../server/auth/devices.ts'
import { isBrowserThere } from '../../util/browser.ts'
import { converse, helloFrame, servingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'
import { comesTrue, highlight, noteOf, openEmma, scene } from './scene.ts'

interface Request<T> {
  readonly result: T
  onsuccess: () => void
}
interface Database {
  transaction(store: string): { objectStore(store: string): { getAllKeys(): Request<string[]> } }
  close(): void
}

/** Of the window that a function given to a page runs in. */
declare const localStorage: { readonly length: number; getItem(key: string): string }
declare const indexedDB: {
  databases(): Promise<{ readonly name: string }[]>
  open(name: string, version?: number): Request<Database>
}
declare const navigator: { readonly locks: { query(): Promise<{ readonly held: unknown[] }> } }

const test = suite('server/dashboard/kept')

/** Another window of the same browser, with the book opened. */
async function anotherWindow(browser: BrowserContext, url: string, isHeldBack = false): Promise<Page> {
  const page = await browser.newPage()
  if (isHeldBack) await holdBack(page)
  await page.goto(`${url}/#book=emma`)
  await page.locator('.state.live').waitFor()
  return page
}

/** What is asked for in the page, once it is loaded anew, does not reach the hub: its pushes come to `hold`. */
const holdBack = (page: Page, hold = (): void => undefined): Promise<void> =>
  page.routeWebSocket('**/live', socket => {
    const hub = socket.connectToServer()
    socket.onMessage(message => {
      if (decodeFrame(message as Buffer, 'client').kind === 'push') hold()
      else hub.send(message)
    })
  })

/** Loads a page anew, which sends for a window that is closed, and gets no answer. */
async function reloadHeldBack(page: Page): Promise<void> {
  const held = new Promise<void>((resolve, reject) => {
    holdBack(page, resolve)
      .then(() => page.reload())
      .catch(reject)
  })
  await held
  await page.locator('.state.live').waitFor()
  await opened(page, 2)
}

/** Resolves when the database of a window holds something to send: the page counts it as soon as it is asked for. */
const stored = (page: Page, window: number): Promise<void> =>
  comesTrue(
    page,
    async window => {
      const { name } = (await indexedDB.databases()).find(({ name }) => name.endsWith(` ${window}`))!
      const database = await new Promise<Database>(resolve => {
        const request = indexedDB.open(name)
        request.onsuccess = () => resolve(request.result)
      })
      const keys = await new Promise<string[]>(resolve => {
        const request = database.transaction('entries').objectStore('entries').getAllKeys()
        request.onsuccess = () => resolve(request.result)
      })
      database.close()
      return keys.some(key => key.startsWith('outbox\naction\n'))
    },
    window
  )

/** The second window of a browser, and more: each is closed before the hub has the passage that is highlighted in it. */
async function closedWindows(browser: BrowserContext, url: string, quotes: readonly string[]): Promise<void> {
  const pages: Page[] = []
  for (const quote of quotes) {
    const page = await anotherWindow(browser, url, true)
    await highlight(page, quote)
    await stored(page, pages.push(page) + 1)
  }
  for (const page of pages) await page.close()
}

/** Resolves when a browser's windows have so many storages open. */
const opened = (page: Page, storages: number): Promise<void> =>
  comesTrue(page, async storages => (await navigator.locks.query()).held.length === storages, storages)

if (isBrowserThere('what the dashboard keeps')) {
  test('what a window that is closed had not sent goes out by the window that is left, or comes first', async context => {
    const { hub, signedIn } = await scene(context)
    const first = await signedIn('laptop')
    const browser = first.context()
    const second = await anotherWindow(browser, hub.url)
    const third = await anotherWindow(browser, hub.url)
    await hub.close()
    for (const [page, window, quote] of [
      [second, 2, 'of the second'],
      [third, 3, 'of the third']
    ] as const) {
      await page.locator('.state.offline').waitFor()
      await highlight(page, quote)
      await stored(page, window)
      await page.close()
    }
    const { dataFolder, url } = hub
    await servingHub(context, { dataFolder, port: new URL(url).port })
    await openEmma(first)
    for (const quote of ['of the second', 'of the third']) await first.locator('.annotations').getByText(quote).waitFor()
  })

  test('a database that cannot be opened keeps nothing of other closed windows from the hub', async context => {
    const { hub, signedIn, faults } = await scene(context)
    const first = await signedIn('laptop')
    await closedWindows(first.context(), hub.url, ['of the second', 'of the third', 'of the fourth'])
    await first.evaluate(async () => {
      const { name } = (await indexedDB.databases()).find(({ name }) => name.endsWith(' 3'))!
      const request = indexedDB.open(name, 2)
      await new Promise<void>(resolve => (request.onsuccess = resolve))
      request.result.close()
    })
    await first.reload()
    await openEmma(first)
    for (const quote of ['of the second', 'of the fourth']) await first.locator('.annotations').getByText(quote).waitFor()
    await opened(first, 1)
    assert.equal(faults, [])
  })

  test('signing out asks first where a closed window has not sent everything, and leaves it to other windows if it is not to be', async context => {
    const { hub, signedIn } = await scene(context)
    const first = await signedIn('laptop')
    await closedWindows(first.context(), hub.url, ['of the second'])
    first.removeAllListeners('dialog')
    first.once('dialog', dialog => void dialog.dismiss())
    const [dialog] = await Promise.all([first.waitForEvent('dialog'), first.getByRole('button', { name: 'Sign out' }).click()])
    assert.match(dialog.message(), 'window that is closed')
    await anotherWindow(first.context(), hub.url)
    await openEmma(first)
    await first.locator('.annotations').getByText('of the second').waitFor()
  })

  test('signing out ends what sends for closed windows, and asks before', async context => {
    const { hub, signedIn } = await scene(context)
    const first = await signedIn('laptop')
    await closedWindows(first.context(), hub.url, ['of the second'])
    await reloadHeldBack(first)
    await hub.close()
    await first.locator('.state.offline').waitFor()
    const asked: string[] = []
    first.on('dialog', dialog => asked.push(dialog.message()))
    await first.getByRole('button', { name: 'Sign out' }).click()
    await first.getByText('Pair this browser').waitFor()
    await opened(first, 0)
    assert.match(asked[0]!, 'window that is closed')
  })

  test('what sends for closed windows ends when the hub shuts the browser out', async context => {
    const { hub, account, signedIn } = await scene(context)
    const first = await signedIn('laptop')
    await closedWindows(first.context(), hub.url, ['of the second'])
    await reloadHeldBack(first)
    const [[device]] = account.views.range('devices', [], '', 9) as [[string, unknown]]
    await updateDevice(account, device, { disabled: true }, device)
    await first.locator('.state.closed').waitFor()
    await opened(first, 1)
  })

  test('a hub that was started with other data by mistake takes nothing from a browser: what it typed meanwhile is sent to the right one', async context => {
    const { hub, signedIn } = await scene(context)
    const { dataFolder, url } = hub
    const port = new URL(url).port
    const page = await signedIn('laptop')
    await openEmma(page)
    await hub.close()
    await page.locator('.state.offline').waitFor()
    await highlight(page, 'a passage')
    const wrong = await servingHub(context, { port })
    await page.getByText('The hub does not know this browser').waitFor()
    await wrong.close()
    await servingHub(context, { dataFolder, port })
    await page.reload()
    await page.locator('.state.live').waitFor()
    await page.locator('.annotations').getByText('a passage').waitFor()
  })

  test('a browser that the hub does not know is signed out by its button', async context => {
    const { hub, signedIn } = await scene(context)
    const page = await signedIn('laptop')
    await hub.close()
    await servingHub(context, { port: new URL(hub.url).port })
    await page.getByText('The hub does not know this browser').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('Pair this browser').waitFor()
    assert.is(await page.evaluate(() => localStorage.length), 0)
  })

  test('a browser that came as a new one too often is told to sign out and in again', async context => {
    const { hub, signedIn } = await scene(context)
    const page = await signedIn('phone')
    const { token } = JSON.parse(await page.evaluate(() => localStorage.getItem('lectern'))) as { token: string }
    for (let visit = 0; visit < LIMITS.maxDeviceClients; visit++) {
      const put = encodeFrame('push', { confirmed: 0, actions: [[1, 0, 'setting.put', 'theme', { value: visit }]] })
      await converse(hub.url, [helloFrame(token, { client: `visit ${visit}` }), put], ({ kind }) => kind === 'acked')
    }
    const another = await page.context().newPage()
    await another.goto(hub.url)
    await another.getByText('Sign out, and in again').waitFor()
  })

  const BLOCKED = {
    'blocks what pages keep':
      "for (const name of ['localStorage', 'indexedDB']) Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError') } })",
    'has no room for what pages keep':
      "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }",
    'keeps something else under the same name': "localStorage.setItem('lectern', 'nonsense')"
  }
  for (const [what, script] of Object.entries(BLOCKED))
    test(`a browser that ${what} is signed in, and out`, async context => {
      const { hub, account, window, faults } = await scene(context)
      const page = await window()
      await page.addInitScript(script)
      await page.goto(`${hub.url}/#pair=${hub.pairing.open(account.id).code}`)
      await page.getByText('Pair this browser').click()
      await openEmma(page)
      await highlight(page, 'a passage')
      await noteOf(page).waitFor()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByText('Pair this browser').waitFor()
      assert.equal(faults, [])
    })
}

test.run()
