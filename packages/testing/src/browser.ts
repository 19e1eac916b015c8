import { type Browser, chromium } from 'playwright-core'
import { onCleanup } from './cleanup.ts'
import { requireProgram } from './programs.ts'

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
]
const LAUNCH_TIMEOUT_MS = 30_000

/** The Chromium of this machine; `CHROMIUM` names another one. */
export const launchBrowser = async (): Promise<Browser> => {
  const browser = await chromium.launch({
    executablePath: requireProgram('chromium'),
    args: FLAGS,
    timeout: LAUNCH_TIMEOUT_MS,
    // Signals are ours to handle: Playwright's handlers would end this process before the rest is stopped.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
  onCleanup(() => browser.close())
  return browser
}
