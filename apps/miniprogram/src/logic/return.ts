import type { Page } from '@saoma/client'

/**
 * Calls back when the mini-program is seen and online again after it was not; returns the function that ends
 * it.
 */
export const onReturn = (page: Page, listener: () => void): (() => void) => {
  let away = page.hidden || !page.online
  return page.onChange(() => {
    const was = away
    away = page.hidden || !page.online
    if (was && !away) listener()
  })
}
