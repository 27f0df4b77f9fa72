import type { Page } from 'playwright-core'
import * as assert from 'uvu/assert'
import * as Y from 'yjs'
import { updateDevice } from '../../../server/auth/devices.ts'
import { isBrowserThere } from '../../util/browser.ts'
import { suite } from '../../util/suite.ts'
import { until } from '../../util/until.ts'
import { comesTrue, highlight, MAKER, noteOf, openEmma, scene } from './scene.ts'

/** Of the window that a function given to a page runs in. */
declare const document: { querySelector(selector: string): { readonly value: string } | null }
declare const localStorage: { readonly length: number }
declare const indexedDB: { databases(): Promise<unknown[]> }

const test = suite('server/dashboard/page')

if (isBrowserThere('the dashboard')) {
  test('a link signs a browser in once somebody says so, and leaves no code in the address', async context => {
    const { hub, account, window, faults } = await scene(context)
    const page = await window()
    await page.goto(`${hub.url}/#pair=${hub.pairing.open(account.id).code}`)
    await page.getByText('Pair this browser').waitFor()
    assert.is(page.url(), `${hub.url}/`)
    assert.is(account.views.range('devices', [], '', 9).length, 0)
    await page.getByText('Pair this browser').click()
    await page.getByRole('link', { name: 'Emma' }).waitFor()
    await page.reload()
    await page.locator('.state.live').waitFor()
    assert.is(account.views.range('devices', [], '', 9).length, 1)
    assert.equal(faults, [])
  })

  test('a name and a password sign a browser in, and a wrong one is told', async context => {
    const { hub, window } = await scene(context)
    const page = await window()
    await page.goto(hub.url)
    await page.getByText('With a password').click()
    await page.getByLabel('Account').fill('ada')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('the account or the password is not valid').waitFor()
    await page.getByLabel('Password').fill("ada's")
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('link', { name: 'Emma' }).waitFor()
  })

  test('a device pairs by the code that another shows, and a highlight made in one window shows in the other', async context => {
    const { signedIn, window, faults } = await scene(context)
    const laptop = await signedIn('laptop')
    await laptop.getByRole('link', { name: 'Devices' }).click()
    await laptop.getByText('Show a pairing code').click()
    const link = await laptop.locator('.hint a').getAttribute('href')
    const phone = await window()
    await phone.goto(link!)
    await phone.getByLabel('Name of this device').first().fill('phone')
    await phone.getByText('Pair this browser').click()
    await openEmma(phone)
    await laptop.getByText('phone').waitFor()
    assert.is(await laptop.locator('.code').count(), 0, 'a code that was used is not shown any more')
    await laptop.getByRole('link', { name: 'Library' }).click()
    await openEmma(laptop)
    await laptop.getByText('Here now: phone').waitFor()
    await highlight(laptop, 'handsome, clever, and rich')
    await phone.getByText('handsome, clever, and rich').waitFor()
    assert.equal(faults, [])
  })

  test('a hub that others reach shows a QR code with its address and the code', async context => {
    const { hub, account, window } = await scene(context)
    const page = await window()
    // As another device would see it: not by an address that leads each machine to itself.
    await page.route('http://hub.example/**', async route => {
      const { pathname } = new URL(route.request().url())
      const headers = { ...route.request().headers(), origin: hub.url }
      await route.fulfill({ response: await route.fetch({ url: hub.url + pathname, headers }) })
    })
    await page.routeWebSocket('ws://hub.example/live', socket => {
      socket.connectToServer()
    })
    await page.goto(`http://hub.example/#pair=${hub.pairing.open(account.id).code}`)
    await page.getByText('Pair this browser').click()
    await page.getByRole('link', { name: 'Devices' }).click()
    await page.getByText('Show a pairing code').click()
    const code = await page.locator('.code').textContent()
    assert.is(await page.locator('.qr-code').getAttribute('aria-label'), `QR code of http://hub.example/#pair=${code}`)
    assert.is(hub.pairing.redeem(code!)?.account, account.id)
  })

  test('two write in one note at the same time, and the caret of each stays at its place in the text', async context => {
    const { signedIn } = await scene(context)
    const [laptop, phone] = [await signedIn('laptop'), await signedIn('phone')]
    await openEmma(laptop)
    await openEmma(phone)
    await highlight(laptop, 'a passage')
    await noteOf(laptop).pressSequentially('one three')
    await phone.waitForFunction(() => document.querySelector('.annotations textarea')?.value === 'one three')
    await noteOf(laptop).press('Home')
    await Promise.all([noteOf(laptop).pressSequentially('zero '), noteOf(phone).press('End')])
    await noteOf(phone).pressSequentially(' four')
    for (let letter = 0; letter < 'three four'.length; letter++) await noteOf(phone).press('ArrowLeft')
    await noteOf(phone).pressSequentially('two ')
    for (const page of [laptop, phone])
      await page.waitForFunction(() => document.querySelector('.annotations textarea')?.value === 'zero one two three four')
  })

  test('what others write in a note while letters are composed into a word leaves the word and theirs whole', async context => {
    const { signedIn } = await scene(context)
    const [laptop, phone] = [await signedIn('laptop'), await signedIn('phone')]
    await openEmma(laptop)
    await openEmma(phone)
    await highlight(laptop, 'a passage')
    const shows = (page: Page, text: string): Promise<unknown> =>
      page.waitForFunction(wanted => document.querySelector('.annotations textarea')?.value === wanted, text)
    await noteOf(phone).pressSequentially('end')
    await shows(laptop, 'end')
    await noteOf(laptop).press('Home')
    const keyboard = await laptop.context().newCDPSession(laptop)
    const compose = (text: string): Promise<unknown> =>
      keyboard.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length })
    await compose('に')
    await shows(phone, 'にend')
    await noteOf(phone).press('Home')
    await noteOf(phone).pressSequentially('start ')
    await noteOf(phone).press('End')
    await noteOf(phone).pressSequentially('ed')
    await compose('にほ')
    await shows(phone, 'start にほended')
    await keyboard.send('Input.insertText', { text: '日本' })
    for (const page of [laptop, phone]) await shows(page, 'start 日本ended')
    await noteOf(laptop).press('End')
    await noteOf(laptop).pressSequentially('!')
    await shows(phone, 'start 日本ended!')
  })

  test('what is removed can be restored, and a book too', async context => {
    const { signedIn } = await scene(context)
    const page = await signedIn('laptop')
    await openEmma(page)
    await highlight(page, 'a passage')
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    await page.getByText('Removed (1)').click()
    await page.getByRole('button', { name: 'Restore' }).click()
    await page.locator('.annotations').getByText('a passage').waitFor()
    await page.getByText('Remove this book').click()
    await page.getByText('Removed (1)').click()
    await page.getByRole('button', { name: 'Restore' }).click()
    await page.getByRole('link', { name: 'Emma' }).waitFor()
  })

  test('windows of one browser are outboxes of their own', async context => {
    const { hub, account, signedIn } = await scene(context)
    const first = await signedIn('laptop')
    const second = await first.context().newPage()
    await second.goto(hub.url)
    await second.locator('.state.live').waitFor()
    await openEmma(first)
    await openEmma(second)
    await highlight(first, 'of the first')
    await highlight(second, 'of the second')
    await first.getByText('of the second').waitFor()
    await second.getByText('of the first').waitFor()
    assert.is(account.views.range('devices', [], '', 9).length, 1)
  })

  test('a browser that is cut off asks to sign in, and keeps nothing', async context => {
    const { signedIn, account } = await scene(context)
    const [laptop, phone] = [await signedIn('laptop'), await signedIn('phone')]
    await laptop.getByRole('link', { name: 'Devices' }).click()
    await laptop.getByRole('button', { name: 'Cut off' }).click()
    await phone.getByText('Pair this browser').waitFor()
    await comesTrue(phone, async () => localStorage.length === 0 && (await indexedDB.databases()).length === 0)
    await laptop.getByRole('button', { name: 'Sign out' }).click()
    await laptop.getByText('Pair this browser').waitFor()
    const left = account.views.range('devices', [], '', 9).filter(([, { revoked }]) => !revoked)
    assert.equal(left, [])
  })

  test('a link that is opened where a page asks to sign in already fills its code in', async context => {
    const { hub, window } = await scene(context)
    const page = await window()
    await page.goto(hub.url)
    await page.getByText('Pair this browser').waitFor()
    await page.goto(`${hub.url}/#pair=7KQ2-M9XD`)
    await page.waitForFunction(() => document.querySelector('input[name=code]')?.value === '7KQ2-M9XD')
    assert.is(page.url(), `${hub.url}/`)
  })

  test('a browser that is disabled keeps its sign-in for when it is enabled again', async context => {
    const { signedIn, account } = await scene(context)
    const phone = await signedIn('phone')
    const [[device]] = account.views.range('devices', [], '', 9) as [[string, unknown]]
    await updateDevice(account, device, { disabled: true }, device)
    await phone.locator('.state.closed').waitFor()
    await updateDevice(account, device, { disabled: false }, device)
    await phone.reload()
    await phone.locator('.state.live').waitFor()
  })

  test('a browser that may only read shows no way to change anything', async context => {
    const { signedIn } = await scene(context)
    const page = await signedIn('reader', true)
    await openEmma(page)
    assert.is(await page.locator('main button, main form').count(), 0)
    await page.getByRole('link', { name: 'Devices' }).click()
    await page.getByText('may only read').waitFor()
    assert.is(await page.locator('main button, main form').count(), 0)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('Pair this browser').waitFor()
  })

  test('text of a library stays text, and fields that an editor filled with anything stop no drawing', async context => {
    const { account, signedIn, faults } = await scene(context)
    const trap = '<img src=x onerror="document.title=\'caught\'">'
    const doc = new Y.Doc()
    const odd = new Y.Map<unknown>()
    doc.getMap('annotations').set('odd', odd)
    for (const field of ['quote', 'note', 'color', 'chapter', 'createdAtMs'])
      odd.set(field, { _$litType$: 1, strings: [trap], values: [] })
    await account.perform(MAKER, 'book.put', 'emma', { title: 'Emma', authors: [trap] })
    await account.documents.load(new Set(['emma']))
    await account.perform(MAKER, 'annotation.update', 'emma', Y.encodeStateAsUpdate(doc))
    await account.perform(MAKER, 'annotation.put', 'emma', { id: 'trap', quote: trap, note: trap, chapter: trap })
    const page = await signedIn('laptop')
    await openEmma(page)
    await page.locator('blockquote', { hasText: trap }).waitFor()
    assert.is(await page.locator('.annotations li').count(), 2)
    assert.equal([await page.locator('img').count(), await page.title(), faults], [0, 'Emma · Lectern', []])
  })

  test('a book is added and found by its author', async context => {
    const { account, signedIn } = await scene(context)
    const page = await signedIn('laptop')
    await page.getByText('Add a book').click()
    await page.getByLabel('Title').fill('Moby-Dick')
    await page.getByLabel('Author').fill('Herman Melville')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.getByRole('link', { name: 'Moby-Dick' }).waitFor()
    await until(() => account.views.range('books', [], '', 9).length === 2)
    await page.getByLabel('Search').fill('melville')
    await page.getByRole('link', { name: 'Emma' }).waitFor({ state: 'detached' })
    assert.is(await page.getByRole('link', { name: 'Moby-Dick' }).count(), 1)
  })
}

test.run()
