import { webToken } from './live.ts'

/** A login as the SDK stores it in a browser, or in a mini-program. */
export interface StoredLogin {
  /** The account's id. */
  user: string
  accessToken: string
  key: string
  value: string
}

/** A browser's storage, as Playwright takes it. */
interface BrowserStorage {
  cookies: []
  origins: { origin: string; localStorage: { name: string; value: string }[] }[]
}

/** Logs a demo account in, and writes the tokens as `createSession({ origin })` reads them. */
export const storedLogin = async (origin: string, name: string): Promise<StoredLogin> => {
  const { user, ...tokens } = await webToken(origin, name)
  const value = JSON.stringify({ tokens, expiresAt: Date.now() + tokens.expires_in * 1_000 })
  return { user, accessToken: tokens.access_token, key: `saoma:session:${origin}:web`, value }
}

/**
 * A browser's storage with that login, for `storageState` of a new context.
 *
 * @param origin  of the pages that are logged in
 */
export const storageWith = (origin: string, { key, value }: StoredLogin): BrowserStorage => ({
  cookies: [],
  origins: [{ origin, localStorage: [{ name: key, value }] }],
})
