/** The value becomes an href, so schemes that run scripts are excluded. */
const OPENS = /^(https?|weixin):/

/** The address that opens the app's page for typing a code; undefined if there is none. */
export const typingLink = async (): Promise<string | undefined> => {
  const response = await fetch('/v1/link')
  if (!response.ok) return undefined
  const { url } = Object(await response.json()) as { url?: unknown }
  return typeof url === 'string' && OPENS.test(url) ? url : undefined
}
