import type { Result } from '@saoma/protocol'
import type { Logger } from '../operate/log.ts'
import type { KeySource } from './key-source.ts'
import type { Person } from './principal.ts'
import { createSignedTokens, type SignedTokenRules } from './signed-tokens.ts'
import { createTokenIntrospection } from './token-introspection.ts'

/** Resolves tokens that the business issued itself. */
export interface BusinessTokens {
  /**
   * Fails with UNAUTHORIZED, TOKEN_EXPIRED, REVOKED or BACKEND_UNAVAILABLE. `from` is the client's address.
   * With `lastEnd` the answer has to take account of that end of sessions: the business is asked anew, or the
   * token has to be younger.
   */
  resolve(token: string, from: string, lastEnd?: string): Promise<Result<Person>>
}

export interface BusinessTokenSettings {
  /** The address that resolves tokens that Saoma did not issue. */
  authUrl?: string
  /** The keys with which the business signs its tokens, and what such a token must be. */
  signed?: SignedTokenRules & { source: KeySource }
}

/**
 * Opens the ways in which a node may recognise tokens of the business. With both ways the issuer that a token
 * names decides: nobody is asked about a token that the node can verify. Undefined if there is no way.
 */
export const openBusinessTokens = (
  { authUrl, signed }: BusinessTokenSettings,
  log: Logger,
): { tokens?: BusinessTokens; close(): void } => {
  const asked = authUrl ? createTokenIntrospection(authUrl, log) : undefined
  const verified = signed && createSignedTokens(signed.source, signed, log)
  const close = () => verified?.close()
  if (!verified) return { ...(asked ? { tokens: asked } : {}), close }
  if (!asked) return { tokens: verified, close }
  return {
    tokens: {
      resolve: (token, from, lastEnd) => (verified.isOf(token) ? verified : asked).resolve(token, from, lastEnd),
    },
    close,
  }
}
