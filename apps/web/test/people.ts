import type { launchBrowser } from '@saoma/testing'

export type Browser = Awaited<ReturnType<typeof launchBrowser>>
export type Page = Awaited<ReturnType<Browser['newPage']>>
export type Device = NonNullable<Parameters<Browser['newContext']>[0]>
type Locator = ReturnType<Page['locator']>

export const desktop: Device = { viewport: { width: 1280, height: 800 }, locale: 'en-US' }
export const mobile: Device = { viewport: { width: 390, height: 844 }, locale: 'en-US', hasTouch: true }

const TIMEOUT_MS = 10_000

/** What a test does to a page before it goes where it should, such as answering for a server. */
export type Preparation = (page: Page) => Promise<unknown>

/** A page on a machine of its own. */
interface Screen {
  page: Page
  /** Of which browser it is, and what kind of machine. */
  browser: Browser
  kind: string
  viewport: Device['viewport']
  /** What the page complained of: exceptions, and what its own security policy forbade. */
  complaints: string[]
}

/** The people of a file at their machines. */
export interface Screens {
  /** Somebody opens a page on a machine that knows nothing but what `storageState` says. */
  open(browser: Browser, path: string, device: Device, prepare?: Preparation): Promise<Page>
  /**
   * The end of a test: everybody leaves, their machines forget. Resolves with what the pages complained of.
   */
  leave(): Promise<string[]>
}

/** An address of that origin without a script of ours. */
const bare = (origin: string): string => `${origin}/oidc/jwks`

/**
 * A new machine costs more than all that a test does with it, so the next test gets one that was used and has
 * forgotten everything. Nothing of a page lives on in it: it has gone elsewhere, and storage, cookies, routes
 * and listeners are gone.
 */
export const createScreens = (originOf: () => string): Screens => {
  const inUse = new Set<Screen>()
  const free: Screen[] = []

  const create = async (browser: Browser, kind: string, device: Device): Promise<Screen> => {
    const context = await browser.newContext(device)
    context.setDefaultTimeout(TIMEOUT_MS)
    const page = await context.newPage()
    return { page, browser, kind, viewport: device.viewport, complaints: [] }
  }

  const remember = async ({ page }: Screen, { storageState }: Device): Promise<void> => {
    const stored = typeof storageState === 'object' ? storageState.origins.flatMap((origin) => origin.localStorage) : []
    await page.evaluate((entries) => {
      for (const { name, value } of entries) localStorage.setItem(name, value)
    }, stored)
  }

  const forget = async ({ page, viewport }: Screen): Promise<void> => {
    for (const event of ['pageerror', 'console', 'websocket'] as const) page.removeAllListeners(event)
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    await page.context().setOffline(false)
    // A page that leaves may still write something down, so this comes after.
    await page.goto(bare(originOf()))
    await page.evaluate(() => {
      localStorage.clear()
      sessionStorage.clear()
      indexedDB.deleteDatabase('saoma')
    })
    await page.context().clearCookies()
    if (viewport) await page.setViewportSize(viewport)
  }

  return {
    open: async (browser, path, device, prepare) => {
      const { storageState: _, ...machine } = device
      const kind = JSON.stringify(machine)
      const at = free.findIndex((screen) => screen.browser === browser && screen.kind === kind)
      const [used] = at < 0 ? [] : free.splice(at, 1)
      if (used) await remember(used, device)
      const screen = used ?? (await create(browser, kind, device))
      inUse.add(screen)
      const { page, complaints } = screen
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('console', (message) => {
        if (/content security policy/i.test(message.text())) complaints.push(message.text())
      })
      await prepare?.(page)
      await page.goto(new URL(path, originOf()).href)
      return page
    },
    leave: async () => {
      const screens = [...inUse]
      inUse.clear()
      const complaints = screens.flatMap((screen) => screen.complaints.splice(0))
      await Promise.all(
        screens.map(async (screen) => {
          if (screen.page.isClosed()) return
          await forget(screen)
          free.push(screen)
        }),
      )
      return complaints
    },
  }
}

/** The card of the login in one of its states. */
export const card = (page: Page, status: string): Locator => page.locator(`saoma-login .card.${status}`)

/** Where the picture on the page leads, once it is there to be scanned. */
export const scanned = async (page: Page): Promise<string> => {
  await card(page, 'waiting').locator('img').waitFor()
  return (await page.locator('saoma-login a').getAttribute('href')) ?? ''
}

/** The ticket of that picture. */
export const ticketOn = async (page: Page): Promise<string> =>
  new URL(await scanned(page)).searchParams.get('ticket') ?? ''

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
