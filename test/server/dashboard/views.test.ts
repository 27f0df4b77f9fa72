import type { Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import type { Account } from '../../../server/core/account.ts'
import { isBrowserThere } from '../../util/browser.ts'
import { suite } from '../../util/suite.ts'
import { MAKER, noteOf, openEmma, scene } from './scene.ts'

interface Area {
  value: string
  readonly selectionStart: number
  readonly selectionEnd: number
  setSelectionRange(start: number, end: number): void
}

/** Of the window that a function given to a page runs in. */
declare const document: {
  readonly activeElement: { readonly textContent: string } | null
  readonly documentElement: { readonly scrollWidth: number }
  querySelector(selector: string): Area | null
}
declare const innerWidth: number
declare const scrollY: number
declare function scrollTo(x: number, y: number): void

const test = suite('server/dashboard/views')

const annotate = async (account: Account, id: string, fields: object): Promise<void> => {
  await account.documents.load(new Set(['emma']))
  await account.perform(MAKER, 'annotation.put', 'emma', { id, ...fields })
}

const scrolledTo = (page: Page): Promise<number> => page.evaluate(() => scrollY)

if (isBrowserThere('the views of the dashboard')) {
  test('no view is wider than a phone, whatever long words are in it', async context => {
    const { account, signedIn } = await scene(context)
    const word = 'Donaudampfschifffahrtsgesellschaft'.repeat(8)
    await account.perform(MAKER, 'book.put', 'emma', { title: `Emma ${word}`, authors: [word] })
    await annotate(account, 'long', { quote: word, note: word, chapter: word })
    const page = await signedIn(word.slice(0, 100))
    await page.setViewportSize({ width: 360, height: 640 })
    const isInView = async (view: string): Promise<void> =>
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), view)
    await page.getByRole('link', { name: 'Emma' }).waitFor()
    await isInView('library')
    await openEmma(page)
    await page.locator('.annotations li').waitFor()
    await isInView('book')
    await page.getByRole('link', { name: 'Devices' }).click()
    await page.getByText('this browser').waitFor()
    await isInView('devices')
  })

  test('a book begins at its top and names the window, and the way back leads to where the library was left', async context => {
    const { account, signedIn } = await scene(context)
    for (let number = 1; number <= 60; number++)
      await account.perform(MAKER, 'book.put', `book-${number}`, { title: `Book ${number}`, authors: ['Brontë'] })
    for (let number = 1; number <= 60; number++) await annotate(account, `a${number}`, { quote: `passage ${number}` })
    const page = await signedIn('phone')
    await page.getByLabel('Search').fill('EMILY bronte')
    await page.getByText('No book has these words').waitFor()
    await page.getByLabel('Search').fill('BRONTE book')
    await page.getByRole('link', { name: 'Emma' }).waitFor({ state: 'detached' })
    const link = page.getByRole('link', { name: 'Book 50' })
    await link.scrollIntoViewIfNeeded()
    const left = await scrolledTo(page)
    assert.ok(left > 0)
    await link.click()
    await page.getByRole('heading', { name: 'Book 50' }).waitFor()
    assert.equal([await scrolledTo(page), await page.title()], [0, 'Book 50 · Lectern'])
    assert.is(await page.evaluate(() => document.activeElement?.textContent), 'Book 50')
    await page.goBack()
    await link.waitFor()
    assert.equal([await scrolledTo(page), await page.title()], [left, 'Library · Lectern'])
    assert.is(await page.getByLabel('Search').inputValue(), 'BRONTE book')
    assert.is(await page.getByRole('link', { name: 'Emma' }).count(), 0)
    await page.getByLabel('Search').fill('emma')
    await openEmma(page)
    await page.evaluate(() => scrollTo(0, 2_000))
    await page.goBack()
    await page.getByRole('link', { name: 'Emma' }).waitFor()
    await page.goForward()
    await page.locator('.annotations li').first().waitFor()
    assert.is(await scrolledTo(page), 0)
  })

  test('every annotation of a book can be come to, the newest first', async context => {
    const { account, signedIn } = await scene(context)
    for (let number = 0; number < 610; number++) await annotate(account, `a${number}`, { quote: `passage ${number}.` })
    const page = await signedIn('laptop')
    await openEmma(page)
    await page.getByText('passage 310.').waitFor()
    assert.is(await page.getByText('passage 309.').count(), 0)
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByText('passage 10.').waitFor()
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByText('passage 0.').waitFor()
    assert.is(await page.getByRole('button', { name: 'Show more' }).count(), 0)
  })

  test('a book that is removed elsewhere says so and can be restored, and an address of none says so', async context => {
    const { hub, account, signedIn } = await scene(context)
    const page = await signedIn('laptop')
    await openEmma(page)
    await account.perform(MAKER, 'book.remove', 'emma', {})
    await page.getByText('This book was removed').waitFor()
    await page.getByRole('button', { name: 'Restore this book' }).click()
    await page.getByRole('button', { name: 'Remove this book' }).waitFor()
    await page.goto(`${hub.url}/#book=${'x'.repeat(200)}`)
    await page.getByText('The library has no book of this name').waitFor()
    assert.is(await page.locator('main form').count(), 0, 'nothing is asked for that would be taken nowhere')
  })

  for (const [ends, lineEnd] of [
    ['as the browser has them', '\n'],
    ['of Windows', '\r\n']
  ] as const)
    test(`what others write into a note leaves what is selected in it selected, with line ends ${ends}`, async context => {
      const { account, signedIn } = await scene(context)
      await annotate(account, 'a', { note: ['one', 'two', 'three'].join(lineEnd) })
      const page = await signedIn('laptop')
      await openEmma(page)
      await noteOf(page).focus()
      await noteOf(page).evaluate((area: unknown) => (area as Area).setSelectionRange(4, 7))
      for (const lines of [
        ['zero', 'one', 'two', 'three'],
        ['zero', 'one', 'two', 'three', 'four']
      ]) {
        await annotate(account, 'a', { note: lines.join(lineEnd) })
        await page.waitForFunction(text => document.querySelector('.annotations textarea')?.value === text, lines.join('\n'))
        const selected = (area: Area): string => area.value.slice(area.selectionStart, area.selectionEnd)
        assert.is(await noteOf(page).evaluate(selected as (area: unknown) => string), 'two')
      }
    })

  test('who hears the page is told each state once, which note and which device a field or button is for', async context => {
    const { hub, account, signedIn } = await scene(context)
    await annotate(account, 'a', { quote: 'handsome, clever, and rich' })
    const page = await signedIn('laptop')
    await signedIn('phone')
    await page.getByRole('link', { name: 'Devices' }).click()
    await page.getByRole('button', { name: 'Cut off phone' }).waitFor()
    await page.getByRole('link', { name: 'Library' }).click()
    await openEmma(page)
    await hub.close()
    await page.locator('.state.offline').waitFor()
    await page.getByLabel('Note on handsome, clever, and rich').fill('x')
    await page.getByText('1 to send').waitFor()
    assert.not.match((await page.getByRole('status').textContent())!, /to send/)
  })

  test('a page that was opened by an address of this machine alone shows a code with the one for others, which may end in a slash', async context => {
    const { hub, account, window } = await scene(context, { publicUrl: 'https://hub.example/' })
    const { port } = new URL(hub.url)
    for (const host of ['0.0.0.0', 'lectern.localhost']) {
      const page = await window()
      await page.goto(`http://${host}:${port}/#pair=${hub.pairing.open(account.id).code}`)
      await page.getByText('Pair this browser').click()
      await page.getByRole('link', { name: 'Devices' }).click()
      await page.getByText('Show a pairing code').click()
      await page.getByRole('img', { name: 'QR code of https://hub.example/#pair=' }).waitFor()
    }
  })
}

test.run()
