import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'
import type { TestContext } from './suite.ts'

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]

/** Whether tests in a browser run. Without one they are left out, loudly, except where nothing may be. */
export function isBrowserThere(what: string): boolean {
  if (existsSync(CHROMIUM) || process.env['CI'] === 'true') return true
  process.stdout.write(`SKIPPED: ${what}: there is no Chromium at ${CHROMIUM}; set CHROMIUM to its path\n`)
  return false
}

/** A browser, which is closed when the test ends. */
export async function openBrowser(context: TestContext): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS })
  context.defer(() => browser.close())
  return browser
}
