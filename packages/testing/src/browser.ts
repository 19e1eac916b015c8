import type { Browser } from 'playwright-core'
import { onCleanup } from './cleanup.ts'
import { findProgram, isExecutable, requireProgram } from './programs.ts'

/** A headless browser must connect only to the page under test. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Only the last of these lists counts, so the relevant entries of Playwright's are repeated here. The first
  // two preload pages that no test uses, with a process each for every new context: nearly half of a
  // context's work.
  `--disable-features=${[
    'WebUIOmniboxPopup',
    'SpareRendererForSitePerProcess',
    'DestroyProfileOnBrowserClose',
    'HttpsUpgrades',
    'MediaRouter',
    'NetworkTimeServiceQuerying',
    'OptimizationHints',
    'PaintHolding',
  ]}`,
]
const LAUNCH_TIMEOUT_MS = 30_000

/** Loaded on demand: it would double the start time of every other test. */
const loadChromium = async () => (await import('playwright-core')).chromium

/**
 * The machine's Chromium, or the one that `playwright-core install` has put into the user's cache. `CHROMIUM`
 * names another one.
 */
export const findBrowser = async (): Promise<string | undefined> =>
  findProgram('chromium') ?? [(await loadChromium()).executablePath()].find(isExecutable)

export interface BrowserOptions {
  /**
   * Uses the back/forward cache, sockets included, like real browsers. Playwright turns it off.
   * @default false
   */
  keepsPages?: boolean
}

/** A headless browser that is closed at the end. */
export const launchBrowser = async ({ keepsPages = false }: BrowserOptions = {}): Promise<Browser> => {
  const executablePath = (await findBrowser()) ?? requireProgram('chromium')
  const browser = await (await loadChromium()).launch({
    executablePath,
    args: FLAGS,
    ...(keepsPages ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
    timeout: LAUNCH_TIMEOUT_MS,
    // We handle signals: Playwright's handlers would end this process before the rest is stopped.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
  onCleanup(() => browser.close())
  return browser
}
