import { webToken } from './live.ts'

/** A login as the SDK stores it in a browser, or in a mini-program. */
export interface StoredLogin {
  /** The account's id. */
  user: string
  accessToken: string
  key: string
  value: string
}

/** Logs a demo account in, and writes the tokens as `createSession({ origin })` reads them. */
export const storedLogin = async (origin: string, name: string): Promise<StoredLogin> => {
  const { user, ...tokens } = await webToken(origin, name)
  const value = JSON.stringify({ tokens, expiresAt: Date.now() + tokens.expires_in * 1_000 })
  return { user, accessToken: tokens.access_token, key: `saoma:session:${origin}:web`, value }
}
