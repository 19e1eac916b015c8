import type { launchBrowser } from '@saoma/testing'

export type Browser = Awaited<ReturnType<typeof launchBrowser>>
export type Page = Awaited<ReturnType<Browser['newPage']>>
export type Device = NonNullable<Parameters<Browser['newContext']>[0]>
type Locator = ReturnType<Page['locator']>

export const desktop: Device = { viewport: { width: 1280, height: 800 }, locale: 'en-US' }
export const mobile: Device = { viewport: { width: 390, height: 844 }, locale: 'en-US', hasTouch: true }

const TIMEOUT_MS = 10_000

export interface Visit {
  page: Page
  /** What the page complained of: exceptions, and what its own security policy forbade. */
  complaints: string[]
}

/** Somebody opens a page on a machine of their own. */
export const visit = async (browser: Browser, url: string, options: Device): Promise<Visit> => {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(TIMEOUT_MS)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text())
  })
  await page.goto(url)
  return { page, complaints }
}

/** The card of the login in one of its states. */
export const card = (page: Page, status: string): Locator => page.locator(`saoma-login .card.${status}`)

/** Where the picture on the page leads, once it is there to be scanned. */
export const scanned = async (page: Page): Promise<string> => {
  await card(page, 'waiting').locator('img').waitFor()
  return (await page.locator('saoma-login a').getAttribute('href')) ?? ''
}

export const userCode = async (page: Page): Promise<string> =>
  (await page.locator('saoma-login .code strong').textContent()) ?? ''

/** Presses Tab until the focus is on something with that text or label; fails after a whole page of stops. */
export const tabTo = async (page: Page, name: string): Promise<void> => {
  const seen: string[] = []
  for (let stop = 0; stop < 20; stop++) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate(() => {
      let element = document.activeElement
      while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
      const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : element?.textContent
      return (label ?? '').trim()
    })
    if (focused.includes(name)) return
    seen.push(focused)
  }
  throw new Error(`the Tab key never came to "${name}", only to: ${seen.join(', ')}`)
}
