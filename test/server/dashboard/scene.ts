import type { Browser, Page } from 'playwright-core'
import type { Account } from '../../../server/core/account.ts'
import { Origin } from '../../../server/core/origin.ts'
import { openBrowser } from '../../util/browser.ts'
import { servingHub, type TestServingHub } from '../../util/serving-hub.ts'
import type { TestContext } from '../../util/suite.ts'

/** Who fills a library. */
export const MAKER = new Origin('maker', '')

export interface Scene {
  readonly hub: TestServingHub
  readonly account: Account
  readonly browser: Browser
  /** What went wrong in any window. */
  readonly faults: string[]
  /** A window of a browser of its own, which has nobody signed in. */
  readonly window: () => Promise<Page>
  /** The same, signed in by a link. */
  readonly signedIn: (name: string, readOnly?: boolean) => Promise<Page>
}

/** A hub with a book in its library. */
export async function scene(context: TestContext, flags: Record<string, string> = {}): Promise<Scene> {
  const hub = await servingHub(context, flags)
  const account = await hub.hub.ensureAccount((await hub.directory.add('ada', "ada's")).id)
  await account.perform(MAKER, 'book.put', 'emma', { title: 'Emma', authors: ['Jane Austen'] })
  const browser = await openBrowser(context)
  const faults: string[] = []
  const window = async (): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    page.on('pageerror', error => faults.push(error.message))
    page.on('dialog', dialog => void dialog.accept())
    return page
  }
  const signedIn = async (name: string, readOnly = false): Promise<Page> => {
    const page = await window()
    await page.goto(`${hub.url}/#pair=${hub.pairing.open(account.id, readOnly).code}`)
    await page.getByLabel('Name of this device').first().fill(name)
    await page.getByText('Pair this browser').click()
    await page.locator('.state.live').waitFor()
    return page
  }
  return { hub, account, browser, faults, window, signedIn }
}

export const openEmma = async (page: Page): Promise<void> => {
  await page.getByRole('link', { name: 'Emma' }).click()
  await page.getByText('Highlights and notes').waitFor()
}

/** Adds a highlight to the book that is shown. */
export const highlight = async (page: Page, quote: string): Promise<void> => {
  await page.getByLabel('Passage').fill(quote)
  await page.locator('.addition').getByText('Add', { exact: true }).click()
}

/** The notes of the book that is shown. */
export const noteOf = (page: Page): ReturnType<Page['locator']> => page.locator('.annotations textarea')

/** Resolves once a function given to a page finds true. Playwright's `waitForFunction` takes the promise of an async one for true. */
export async function comesTrue(page: Page, check: (given: number) => Promise<boolean>, given = 0): Promise<void> {
  while (!(await page.evaluate(check, given)));
}
