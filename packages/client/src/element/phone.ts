/** Shortest side of a screen, in CSS pixels, from which on it is no phone's. */
const TABLET_PX = 600

/**
 * Whether this page is looked at on a phone, where nobody can scan what the screen shows: by what the browser
 * says of itself, and for phones that ask for the desktop's page by the finger and the size.
 */
export const isPhone = (): boolean => {
  const { userAgent, userAgentData } = navigator as Navigator & { userAgentData?: { mobile?: boolean } }
  if (userAgentData?.mobile || /\bMobile\b/.test(userAgent)) return true
  return matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) < TABLET_PX
}
