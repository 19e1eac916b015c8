import type { Page } from '@saoma/client'

/**
 * Calls `listener` when the mini-program becomes visible and online again. Returns a function that stops it.
 */
export const onReturn = (page: Page, listener: () => void): (() => void) => {
  let away = page.hidden || !page.online
  return page.onChange(() => {
    const was = away
    away = page.hidden || !page.online
    if (was && !away) listener()
  })
}
