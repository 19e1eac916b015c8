import type { Identity } from '@saoma/identity'
import { fail, ok } from '@saoma/protocol'
import type { ApiKeys } from './api-keys.ts'
import type { BusinessTokens } from './business-tokens.ts'
import type { Authenticate, StillValid } from './principal.ts'

export interface AuthenticateDeps {
  apiKeys: Pick<ApiKeys, 'find' | 'isKnown'>
  identity: Pick<Identity, 'isOwn' | 'verify' | 'isLive'>
  /** Asked about tokens that are not ours. */
  businessTokens?: BusinessTokens
}

const LARGEST_TOKEN = 4_096
const API_KEY = 'saoma_'

/** Both reject with RedisUnavailable when a session cannot be looked up. */
export const createAuthenticate = ({
  apiKeys,
  identity,
  businessTokens,
}: AuthenticateDeps): { authenticate: Authenticate; stillValid: StillValid } => {
  const stillValid: StillValid = async (who) => {
    if (who.kind === 'backend') return apiKeys.isKnown(who) ? ok(true) : fail('REVOKED')
    // A phone's token has no session; it is over in ten minutes.
    if (who.issuer === 'business' || who.sid === undefined) return ok(true)
    return (await identity.isLive(who.sid)) ? ok(true) : fail('REVOKED')
  }

  const authenticate: Authenticate = async (token) => {
    if (token.length === 0 || token.length > LARGEST_TOKEN) return fail('UNAUTHORIZED')
    if (token.startsWith(API_KEY)) {
      const backend = apiKeys.find(token)
      return backend ? ok(backend) : fail('UNAUTHORIZED')
    }
    // A token that claims to be ours is judged by us alone, so that no other server is ever shown one.
    if (!identity.isOwn(token)) return businessTokens ? businessTokens.resolve(token) : fail('UNAUTHORIZED')
    const bearer = await identity.verify(token)
    if (!bearer.ok) return bearer
    const { sub, sid, exp, rooms } = bearer.value
    const valid = sid === undefined || (await identity.isLive(sid))
    if (!valid) return fail('REVOKED')
    return ok({
      kind: 'person',
      issuer: 'saoma',
      user: sub,
      ...(sid === undefined ? {} : { sid }),
      expiresAt: exp * 1000,
      rooms: rooms ?? [],
    })
  }

  return { authenticate, stillValid }
}
