import type { BrowserContext, Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import { encodeFrame, LIMITS } from '../../../protocol/index.ts'
import { isBrowserThere } from '../../util/browser.ts'
import { converse, helloFrame, servingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'
import { highlight, noteOf, openEmma, scene } from './scene.ts'

/** Of the window that a function given to a page runs in. */
declare const localStorage: { readonly length: number; getItem(key: string): string }

const test = suite('server/dashboard/kept')

/** Another window of the same browser, with the book opened. */
async function anotherWindow(browser: BrowserContext, url: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(`${url}/#book=emma`)
  await page.locator('.state.live').waitFor()
  return page
}

if (isBrowserThere('what the dashboard keeps')) {
  test('what a window that is closed had not sent goes out by the window that is left, or comes first', async context => {
    const { hub, signedIn } = await scene(context)
    const first = await signedIn('laptop')
    const browser = first.context()
    const second = await anotherWindow(browser, hub.url)
    const third = await anotherWindow(browser, hub.url)
    await hub.close()
    for (const [page, quote] of [
      [second, 'of the second'],
      [third, 'of the third']
    ] as const) {
      await page.locator('.state.offline').waitFor()
      await highlight(page, quote)
      await page.getByText('1 to send').waitFor()
      await page.close()
    }
    const { dataFolder, url } = hub
    await servingHub(context, { dataFolder, port: new URL(url).port })
    await openEmma(first)
    for (const quote of ['of the second', 'of the third']) await first.locator('.annotations').getByText(quote).waitFor()
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
