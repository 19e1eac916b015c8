import type { Channels } from '@saoma/channels'
import type { Identity } from '@saoma/identity'
import { fail, ok, type Result } from '@saoma/protocol'
import { API_KEY_PREFIX, type ApiKeys } from './api-keys.ts'
import type { BusinessTokens } from './business-tokens.ts'
import type { Authenticate, Person, Principal, StillValid } from './principal.ts'

export interface AuthenticateDeps {
  apiKeys: Pick<ApiKeys, 'find' | 'isKnown'>
  identity: Pick<Identity, 'isOwn' | 'verify' | 'hasSession' | 'mayScan'>
  /** Resolves tokens that Saoma did not issue. */
  businessTokens?: BusinessTokens
  channels: Pick<Channels, 'lastEnd'>
}

const LARGEST_TOKEN = 4_096

const isExpired = ({ expiresAt }: Principal): boolean => expiresAt <= Date.now()

/** Both functions reject with RedisUnavailable when a session cannot be looked up. */
export const createAuthenticate = ({
  apiKeys,
  identity,
  businessTokens,
  channels,
}: AuthenticateDeps): { authenticate: Authenticate; stillValid: StillValid } => {
  /**
   * A phone's token has no session. It expires within ten minutes, and counts for nothing while its account
   * is disabled or deleted.
   */
  const lives = async (user: string, sid: string | undefined): Promise<boolean> =>
    sid === undefined ? (await identity.mayScan(user)).ok : identity.hasSession(sid)

  const stillValid: StillValid = async (who) => {
    if (who.kind === 'backend') {
      if (!apiKeys.isKnown(who)) return fail('REVOKED')
      return isExpired(who) ? fail('TOKEN_EXPIRED') : ok(true)
    }
    if (who.issuer === 'business' || who.lastEnd !== undefined) {
      const lastEnd = await channels.lastEnd(who.user, who.sid)
      if (lastEnd !== '' && lastEnd !== who.lastEnd) return fail('REVOKED')
    }
    // Only the business knows its own sessions.
    if (who.issuer === 'business') return ok(true)
    return (await lives(who.user, who.sid)) ? ok(true) : fail('REVOKED')
  }

  /**
   * A business revokes its own tokens by ending the person's sessions. A positive answer that was cached
   * before that end is ignored, and the business is asked again. A signed token must have been issued later.
   */
  const judge = async (tokens: BusinessTokens, token: string, from: string): Promise<Result<Person>> => {
    const believed = await tokens.resolve(token, from)
    if (!believed.ok) return believed
    const lastEnd = await channels.lastEnd(believed.value.user, believed.value.sid)
    if (lastEnd === '' || lastEnd === believed.value.lastEnd) return believed
    return tokens.resolve(token, from, lastEnd)
  }

  const authenticate: Authenticate = async (token, from, proof) => {
    if (token.length === 0 || token.length > LARGEST_TOKEN) return fail('UNAUTHORIZED')
    if (token.startsWith(API_KEY_PREFIX)) {
      const backend = apiKeys.find(token)
      if (!backend) return { ...fail('UNAUTHORIZED'), detail: 'API key not known' }
      if (!isExpired(backend)) return ok(backend)
      return { ...fail('TOKEN_EXPIRED'), detail: `the API key expired at ${new Date(backend.expiresAt).toISOString()}` }
    }
    // A business binds its own tokens in its own way.
    if (proof && !identity.isOwn(token)) return fail('UNAUTHORIZED')
    // Only Saoma judges a token that claims to be its own, so such a token is never sent to another server.
    if (!identity.isOwn(token)) return businessTokens ? judge(businessTokens, token, from ?? '') : fail('UNAUTHORIZED')
    const bearer = await identity.verify(token, proof)
    if (!bearer.ok) return bearer
    const { sub, sid, exp, rooms } = bearer.value
    if (!(await lives(sub, sid))) return fail('REVOKED')
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
