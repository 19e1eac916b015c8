import { type EndNotice, fail, ok, type Result } from '@saoma/protocol'
import { every, RedisUnavailable } from '@saoma/redis'
import type Provider from 'oidc-provider'
import { type ClientRegistry, noClients } from './client.ts'
import { phoneAudience } from './clients.ts'
import { cookieKeys } from './cookie-keys.ts'
import { type LogoutView, readLogout } from './end-session.ts'
import { createInteractions, type Interactions } from './interactions.ts'
import { type KeyProof, provesKey } from './key-proof.ts'
import { createKeySeal } from './key-seal.ts'
import { createKnownBrowsers, type KnownBrowsers } from './known-browsers.ts'
import { createLogouts, type LogoutsOptions } from './logouts.ts'
import { type OpenSessionsOptions, openSessions } from './open-sessions.ts'
import { createPings, type PingsOptions } from './pings.ts'
import { createProvider } from './provider.ts'
import type { ProviderDeps, ProviderOptions } from './provider-options.ts'
import { isNewProof } from './replayed-proof.ts'
import { loginAudience, userinfoAudience } from './resources.ts'
import type { BegunSession, SessionRecord } from './sessions.ts'
import { createSigningKeys, type KeyRings, type SigningKeyTimes, signingAlgorithms } from './signing-keys.ts'
import { readUserinfo, type Userinfo } from './userinfo.ts'
import { type Bearer, claimsToBeOf, createVerifier, keyNamedBy, type LoginProof, type VerifiedToken } from './verify.ts'

export interface IdentityOptions
  extends Omit<ProviderOptions, 'cookieSecrets'>,
    Omit<OpenSessionsOptions, 'times' | 'onLeft' | 'registry'> {
  /**
   * Protect the signing keys in Redis. The first secret encrypts, all decrypt. Each has at least 32
   * characters.
   */
  secrets: readonly [string, ...string[]]
  /** Called when the keys are there but unusable, for example because another node has another secret. */
  onKeysError: (error: unknown) => void
  /**
   * Called after a session has begun. Identity does not wait for it and ignores its outcome; it must not
   * throw.
   */
  onSessionBegan?: (session: BegunSession) => void
  keyTimes?: Partial<SigningKeyTimes>
  /** How applications are told of ends. */
  logouts?: LogoutsOptions
  /** How applications are told of answers (CIBA, ping mode). */
  pings?: Omit<PingsOptions, 'secrets'>
  /** Milliseconds between two reads of the cluster's keys, one small read each. @default 5 seconds */
  keyCheckMs?: number
}

/**
 * Rate limit: tokens with an unknown key cause at most one read of the keys in this time, because anyone can
 * write such a token.
 */
const UNKNOWN_KEY_MS = 2_000

export interface IdentityDeps extends Pick<ProviderDeps, 'redis' | 'tickets'> {
  /** The registered applications. @default none */
  clients?: ClientRegistry
  /**
   * Opens the accounts. It is called when the secrets have opened the signing keys, so a node with a wrong
   * secret writes nothing.
   */
  openAccounts: () => Promise<ProviderDeps['accounts']>
}

export interface Identity {
  /**
   * The OAuth provider to mount at `/oidc`. Call this for each request: a change of signing keys creates a
   * new provider.
   */
  provider(): Provider
  /**
   * Verifies an access token of this cluster, without a request to Redis. There are two exceptions, which
   * reject with RedisUnavailable if that request fails:
   *
   * - A token names an unknown key. The keys are read, at most once in two seconds.
   * - A proof fits its token. That it was used is remembered.
   *
   * A token that is bound to a key (RFC 9449) is UNAUTHORIZED without a proof of that key, and any other one
   * with a proof.
   */
  verify(token: string, proof?: KeyProof): Promise<Result<Bearer>>
  /**
   * The claims of a token's person by the token's scopes, as the account has them now. Fails like `verify`,
   * and with SCOPE_MISSING, REVOKED or ACCOUNT_DISABLED. Rejects with RedisUnavailable. A token that is bound
   * to a key needs the proof of that key.
   */
  userinfo(token: string, proof?: KeyProof): Promise<Result<Userinfo>>
  /** Whether a token claims to be of this cluster. Anyone can write such a token: `verify` decides. */
  isOwn(token: string): boolean
  /** Whether a session has not ended: one read of Redis. Rejects with RedisUnavailable. */
  hasSession(sid: string): Promise<boolean>
  /** The sessions of a person, newest first. Rejects with RedisUnavailable, like the methods below. */
  sessions(sub: string): Promise<SessionRecord[]>
  /**
   * Ends a session on every node. Resolves with false if the session is not this person's, is over, or was
   * just ended by another call. `notice` is told to its page.
   */
  end(sub: string, sid: string, notice?: EndNotice): Promise<boolean>
  /**
   * Ends all sessions of a person but `keep`, and the logins that they have scanned. Resolves with how many
   * sessions this call ended.
   */
  endAll(sub: string, keep?: string, notice?: EndNotice): Promise<number>
  /**
   * Deletes the refresh tokens of a person's sessions. The sessions must have ended, and the account must
   * give no others.
   */
  eraseTokens(sub: string): Promise<void>
  /**
   * Whether a person may log in at a page, and act with the token of a phone. The value names the last end of
   * all of the person's sessions: give it to the ticket that the person scans. A disabled account is
   * ACCOUNT_DISABLED. A deleted one is REVOKED: its person is a new one.
   */
  mayScan(sub: string): Promise<Result<string>>
  /** The authorization requests that wait for a person. */
  interactions: Interactions
  /** The browsers that may ask a person's phone. */
  browsers: KnownBrowsers
  /**
   * A person has answered a request that an application had sent to the phone: the application is told, if it
   * wants to be. Never rejects.
   */
  answered(ticket: string): void
  /**
   * The logout that the browser of this session was asked about. The id is that of its signed cookie.
   * Undefined if there is none. Rejects with RedisUnavailable.
   */
  logoutOf(session: string): Promise<LogoutView | undefined>
  close(): void
}

/**
 * The OAuth 2.0 / OpenID Connect side of the cluster. Rejects when Redis cannot be reached or the secret does
 * not fit.
 */
export const createIdentity = async (deps: IdentityDeps, options: IdentityOptions): Promise<Identity> => {
  const seal = createKeySeal(options.secrets)
  const issuer = `${options.origin}/oidc`
  const registry = deps.clients ?? noClients
  const opened = openSessions(deps.redis, {
    ...options,
    times: deps.tickets.times,
    registry,
    onLeft: () => logouts.look(),
  })
  const { sessions, grants, forms } = opened
  const ringOf = {
    ES256: createSigningKeys(deps.redis, seal, options.keyTimes, 'ES256'),
    RS256: createSigningKeys(deps.redis, seal, options.keyTimes, 'RS256'),
  }
  const load = async (): Promise<KeyRings> => {
    const [ES256, RS256] = await Promise.all([ringOf.ES256.load(), ringOf.RS256.load()])
    return { ES256, RS256 }
  }
  const first = await load()
  const accounts = await deps.openAccounts()
  const kidsOf = (rings: KeyRings) => signingAlgorithms.flatMap((alg) => rings[alg].map(({ kid }) => kid))
  const forCluster = [options.origin, phoneAudience(options.origin)]
  const forInteractions = loginAudience(options.origin)
  const audiences = [...forCluster, userinfoAudience(options.origin), forInteractions]
  const browsers = createKnownBrowsers(deps.redis)
  const pings = createPings(
    { ...deps, registry, provider: () => current.provider },
    { ...options.pings, secrets: options.secrets },
  )
  const assemble = (rings: KeyRings) => ({
    kids: kidsOf(rings),
    ...createProvider(
      {
        ...{ ...deps, registry, accounts, grants, sessions, refreshTokenForm: forms.refreshToken },
        ...{ pings, browsers, verify: (token) => verifyAny(token) },
      },
      rings,
      { ...options, cookieSecrets: cookieKeys(options.secrets) },
    ),
    // Access tokens have this algorithm alone.
    verify: createVerifier(rings.ES256, issuer, audiences),
  })

  let current = assemble(first)
  let looking: Promise<void> | undefined
  const look = (): Promise<void> => {
    looking ??= (async () => {
      const rings = await load()
      if (kidsOf(rings).join() !== current.kids.join()) current = assemble(rings)
    })().finally(() => {
      looking = undefined
    })
    return looking
  }
  const lookAgain = () => {
    // While Redis is unavailable the present keys stay valid. The next round reads again.
    look().catch((error: unknown) => {
      if (!(error instanceof RedisUnavailable)) options.onKeysError(error)
    })
  }
  const logouts = createLogouts({ untold: opened.untold, registry, current: () => current }, options.logouts)
  const stop = every(options.keyCheckMs ?? 5_000, lookAgain)
  // Redis may have come back with less data than before.
  deps.redis.data.on('ready', lookAgain)

  let unknownAt = Number.NEGATIVE_INFINITY
  let lookingForUnknown: Promise<void> | undefined
  /** Reads the keys because a token names an unknown one. Resolves with whether it did read. */
  const lookForUnknown = async (): Promise<boolean> => {
    if (!lookingForUnknown && performance.now() - unknownAt < UNKNOWN_KEY_MS) return false
    unknownAt = performance.now()
    // A read that is already running may have started before the key was written.
    lookingForUnknown ??= (looking ?? Promise.resolve())
      .catch(() => {})
      .then(look)
      .finally(() => {
        lookingForUnknown = undefined
      })
    await lookingForUnknown
    return true
  }

  const verifyAny = async (token: string): Promise<Result<VerifiedToken>> => {
    const judged = await current.verify(token)
    if (judged.ok || judged.code !== 'UNAUTHORIZED') return judged
    const kid = keyNamedBy(token)
    if (kid === undefined || current.kids.includes(kid) || !(await lookForUnknown())) return judged
    return current.verify(token)
  }

  /** Whether a token comes as it must: with the proof of its key, or without any. */
  const isProven = async ({ jkt }: VerifiedToken, token: string, proof?: KeyProof): Promise<boolean> => {
    if (jkt === undefined || proof === undefined) return jkt === undefined && proof === undefined
    return provesKey(proof, token, jkt, (id, until) => isNewProof(current.provider, jkt, id, until))
  }

  const verify = async (token: string, proof?: KeyProof): Promise<Result<Bearer>> => {
    const judged = await verifyAny(token)
    if (!judged.ok) return judged
    const counts = forCluster.includes(judged.value.audience) && (await isProven(judged.value, token, proof))
    return counts ? judged : fail('UNAUTHORIZED')
  }

  const verifyLogin = async (token: string): Promise<Result<LoginProof>> => {
    const judged = await verifyAny(token)
    if (!judged.ok) return judged
    const { sub, sid, clientId, audience, login, jkt } = judged.value
    const counts = audience === forInteractions && jkt === undefined && sid !== undefined && login !== undefined
    return counts ? ok({ sub, sid, clientId, ...login }) : fail('UNAUTHORIZED')
  }

  return {
    interactions: createInteractions({
      provider: () => current.provider,
      applications: {
        extended: (...of) => current.applications.extended(...of),
        allowedClaims: (...of) => current.applications.allowedClaims(...of),
      },
      registry,
      grants,
      verify: verifyLogin,
    }),
    logoutOf: (id) => readLogout(current.provider, registry, id),
    provider: () => current.provider,
    answered: pings.answered,
    browsers,
    verify,
    userinfo: async (token, proof) => {
      const bearer = await verifyAny(token)
      if (bearer.ok && (bearer.value.audience === forInteractions || !(await isProven(bearer.value, token, proof))))
        return fail('UNAUTHORIZED')
      return bearer.ok ? readUserinfo({ accounts, grants, registry }, bearer.value, options.ownClaims) : bearer
    },
    isOwn: (token) => claimsToBeOf(issuer, token),
    hasSession: grants.hasSession,
    sessions: sessions.list,
    end: sessions.end,
    endAll: sessions.endAll,
    eraseTokens: sessions.eraseTokens,
    mayScan: async (sub) => {
      // Both lie in one slot. The end is read first: who disables an account and then ends all is obeyed.
      const [end, account] = await Promise.all([sessions.lastEnd(sub), accounts.find(sub)])
      if (account?.state === 'disabled') return fail('ACCOUNT_DISABLED')
      return account?.state === 'deleted' ? fail('REVOKED') : ok(end)
    },
    close: () => {
      stop()
      logouts.close()
      pings.close()
      deps.redis.data.off('ready', lookAgain)
      opened.close()
    },
  }
}
