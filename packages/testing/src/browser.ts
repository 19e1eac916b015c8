import type { Browser } from 'playwright-core'
import { onCleanup } from './cleanup.ts'
import { findProgram, isExecutable, requireProgram } from './programs.ts'

/** A headless browser should talk to the page under test and to nobody else. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The last of these lists is the one that counts, so what matters of Playwright's is here again. The first
  // two prepare what no test looks at, a process each for every new context: nearly half of the work of one.
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

/** Loaded when a browser is wanted: it would double the start of every other test. */
const loadChromium = async () => (await import('playwright-core')).chromium

/**
 * The machine's Chromium, or the one that `playwright-core install` put into the person's cache; `CHROMIUM`
 * names another one.
 */
export const findBrowser = async (): Promise<string | undefined> =>
  findProgram('chromium') ?? [(await loadChromium()).executablePath()].find(isExecutable)

export interface BrowserOptions {
  /**
   * Pages that were left are kept for a return, sockets and all, as people's browsers do. Playwright turns
   * that off.
   * @default false
   */
  keepsPages?: boolean
}

/** A headless browser, closed at the end. */
export const launchBrowser = async ({ keepsPages = false }: BrowserOptions = {}): Promise<Browser> => {
  const executablePath = (await findBrowser()) ?? requireProgram('chromium')
  const browser = await (await loadChromium()).launch({
    executablePath,
    args: FLAGS,
    ...(keepsPages ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
    timeout: LAUNCH_TIMEOUT_MS,
    // Signals are ours to handle: Playwright's handlers would end this process before the rest is stopped.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
  onCleanup(() => browser.close())
  return browser
}
