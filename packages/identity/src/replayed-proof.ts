import { errors, type Provider } from './oidc-provider.ts'
import { unwrapped } from './outage.ts'

/**
 * Remembers that a proof of a key was used (RFC 9449, section 11.1). Resolves with false if it was before.
 * Rejects with RedisUnavailable.
 *
 * @param until  seconds since the epoch
 */
export const isNewProof = async (provider: Provider, jkt: string, id: string, until: number): Promise<boolean> => {
  try {
    return Boolean(await unwrapped(provider.ReplayDetection.unique(jkt, id, until)))
  } catch (error) {
    if (error instanceof errors.InvalidGrant) return false
    throw error
  }
}
