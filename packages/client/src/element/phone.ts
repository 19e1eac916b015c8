/** Shortest side of a tablet's screen in CSS pixels. Phones have less. */
const TABLET_PX = 600

/**
 * Whether this page is shown on a phone, where nobody can scan the screen. It uses the browser's description
 * of itself. For phones that request the desktop page it uses touch and screen size.
 *
 * @example
 * ```ts
 * import { isPhone } from '@saoma/client'
 *
 * console.log(isPhone() ? 'Tap to log in' : 'Scan to log in') // -> Scan to log in
 * ```
 */
export const isPhone = (): boolean => {
  const { userAgent, userAgentData } = navigator as Navigator & { userAgentData?: { mobile?: boolean } }
  if (userAgentData?.mobile || /\bMobile\b/.test(userAgent)) return true
  return matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) < TABLET_PX
}
