import { createHash } from 'node:crypto'
import type { Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type Provider from 'oidc-provider'
import { createAccounts } from './accounts.ts'
import { phoneAudience } from './clients.ts'
import { createGrants } from './grants.ts'
import { createKeySeal } from './key-seal.ts'
import { createProvider, type ProviderDeps, type ProviderOptions } from './provider.ts'
import { createSessionEnds, type EndedSession } from './session-ends.ts'
import { createSessionMarks } from './session-marks.ts'
import { type BegunSession, createSessions, type SessionRecord } from './sessions.ts'
import { createSigningKeys, type KeyRing, type SigningKeyTimes } from './signing-keys.ts'
import { type Bearer, claimsToBeOf, createVerifier, keyNamedBy } from './verify.ts'

export interface IdentityOptions extends Omit<ProviderOptions, 'cookieSecret'> {
  /** Protects the signing keys at rest. The first encrypts, all may decrypt. Each at least 32 characters. */
  secrets: readonly [string, ...string[]]
  /** The keys were there but could not be used, for instance because another node has another secret. */
  onKeysError: (error: unknown) => void
  /**
   * Told after a session has begun. Nobody waits for it, and it must not throw: the login goes on whatever
   * comes of it.
   */
  onSessionBegan?: (session: BegunSession) => void
  /**
   * Told after a session has been ended, by its owner or because a refresh token of it was replayed. Tried a
   * few times when it rejects.
   */
  onSessionEnded?: (session: EndedSession) => Promise<void>
  /** Telling it failed for good. */
  onSessionEndError?: (error: unknown) => void
  keyTimes?: Partial<SigningKeyTimes>
  /** How often the cluster's keys are looked at again: one small read. @default 5 seconds */
  keyCheckMs?: number
}

/**
 * No more often than this a token that names an unknown key has the keys looked at: anybody can write one.
 */
const UNKNOWN_KEY_MS = 2_000

export interface Identity {
  /**
   * The OAuth provider to mount at `/oidc`. Ask anew for each request: a change of signing keys makes a new
   * one.
   */
  provider(): Provider
  /**
   * Checks an access token of this cluster without asking anybody, but for one that names a key which is not
   * known: then Redis is looked at, once in two seconds at most, and it rejects with RedisUnavailable when
   * that fails.
   */
  verify(token: string): Promise<Result<Bearer>>
  /** Whether a token says that it is of this cluster. Anybody can write one that does: `verify` decides. */
  isOwn(token: string): boolean
  /** Whether a session has not ended yet: one look into Redis. Rejects with RedisUnavailable. */
  hasSession(sid: string): Promise<boolean>
  /** Where a person is logged in, the newest first. Rejects with RedisUnavailable, like the two below. */
  sessions(sub: string): Promise<SessionRecord[]>
  /**
   * Ends a session on every node. False when it is none of this person's, is over, or somebody else has just
   * ended it.
   */
  end(sub: string, sid: string): Promise<boolean>
  /** Ends all sessions of a person but `keep`. Resolves with how many this call ended. */
  endAll(sub: string, keep?: string): Promise<number>
  close(): void
}

/**
 * The OAuth 2.0 / OpenID Connect side of the cluster. Rejects when Redis cannot be reached or the secret does
 * not fit.
 */
export const createIdentity = async (
  deps: Omit<ProviderDeps, 'accounts' | 'grants' | 'sessions'>,
  options: IdentityOptions,
): Promise<Identity> => {
  const accounts = createAccounts(deps.redis)
  const seal = createKeySeal(options.secrets)
  const cookieSecret = createHash('sha256').update(`saoma cookies ${options.secrets[0]}`).digest('base64url')
  const issuer = `${options.origin}/oidc`
  const sessionEnds = createSessionEnds(options.onSessionEnded, options.onSessionEndError)
  const marks = createSessionMarks(deps.redis, deps.tickets.times.redeemMs)
  const grants = createGrants(deps.redis, marks, sessionEnds.tell)
  const sessions = createSessions(deps.redis, marks, grants)
  const signingKeys = createSigningKeys(deps.redis, seal, options.keyTimes)
  const kidsOf = (ring: KeyRing) => ring.map(({ kid }) => kid)
  const assemble = (ring: KeyRing) => ({
    kids: kidsOf(ring),
    provider: createProvider({ ...deps, accounts, grants, sessions }, ring, {
      ...options,
      cookieSecret,
    }),
    verify: createVerifier(ring, issuer, [options.origin, phoneAudience(options.origin)]),
  })

  let current = assemble(await signingKeys.load())
  let looking: Promise<void> | undefined
  const look = (): Promise<void> => {
    looking ??= (async () => {
      const ring = await signingKeys.load()
      if (kidsOf(ring).join() !== current.kids.join()) current = assemble(ring)
    })().finally(() => {
      looking = undefined
    })
    return looking
  }
  const lookAgain = () => {
    // While Redis is away the present keys stay good; the next round looks again.
    look().catch((error: unknown) => {
      if (!(error instanceof RedisUnavailable)) options.onKeysError(error)
    })
  }
  const timer = setInterval(lookAgain, options.keyCheckMs ?? 5_000).unref()
  // It may have come back with less than it had.
  deps.redis.data.on('ready', lookAgain)

  let unknownAt = Number.NEGATIVE_INFINITY
  let lookingForUnknown: Promise<void> | undefined
  /** Whether the keys were looked at because of a token that names an unknown one. */
  const lookForUnknown = async (): Promise<boolean> => {
    if (!lookingForUnknown && performance.now() - unknownAt < UNKNOWN_KEY_MS) return false
    unknownAt = performance.now()
    // One that is under way may have read before the key was written.
    lookingForUnknown ??= (looking ?? Promise.resolve())
      .catch(() => {})
      .then(look)
      .finally(() => {
        lookingForUnknown = undefined
      })
    await lookingForUnknown
    return true
  }

  return {
    provider: () => current.provider,
    verify: async (token) => {
      const judged = await current.verify(token)
      if (judged.ok || judged.code !== 'UNAUTHORIZED') return judged
      const kid = keyNamedBy(token)
      if (kid === undefined || current.kids.includes(kid) || !(await lookForUnknown())) return judged
      return current.verify(token)
    },
    isOwn: (token) => claimsToBeOf(issuer, token),
    hasSession: grants.hasSession,
    sessions: sessions.list,
    end: sessions.end,
    endAll: sessions.endAll,
    close: () => {
      clearInterval(timer)
      deps.redis.data.off('ready', lookAgain)
      sessionEnds.close()
    },
  }
}
