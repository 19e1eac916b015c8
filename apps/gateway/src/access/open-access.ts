import type { Channels } from '@saoma/channels'
import type { Identity } from '@saoma/identity'
import type { Subscriber } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import { type ApiKeyList, createApiKeys } from './api-keys.ts'
import { createAuthenticate } from './authenticate.ts'
import { createAuthorizationWebhook } from './authorization-webhook.ts'
import { createPolicy } from './policy.ts'
import type { Authenticate, Policy, StillValid } from './principal.ts'
import { createRevocationWatch, type RevocationWatch } from './revocation-watch.ts'
import type { Rules } from './rules.ts'
import { createTokenIntrospection } from './token-introspection.ts'

export interface OpenAccessDeps {
  channels: Channels
  identity: Identity
  rules: Rules
  subscriber: Subscriber
  /** That of the sessions, where it is another Redis. */
  loginsSubscriber?: Subscriber
  log: Logger
}

export interface AccessSettings {
  apiKeys: ApiKeyList
  /** Where tokens that are not ours are resolved. */
  authUrl?: string
  /** Who is asked where a rule says so. */
  hook?: { url: string; secret: string }
}

/** Who somebody is, and what they may. */
export interface Access {
  authenticate: Authenticate
  stillValid: StillValid
  policy: Policy
  revocations: RevocationWatch
  close(): void
}

export const openAccess = (deps: OpenAccessDeps, settings: AccessSettings): Access => {
  const { channels, identity, rules, log } = deps
  const apiKeys = createApiKeys(settings.apiKeys, {
    onProblem: (problems) =>
      log.error({ event: 'api-keys', problems }, 'SAOMA_API_KEYS: the keys read before stay good'),
  })
  const businessTokens = settings.authUrl ? createTokenIntrospection(settings.authUrl, log) : undefined
  const hook = settings.hook && createAuthorizationWebhook(settings.hook, log)
  const { authenticate, stillValid } = createAuthenticate({
    apiKeys,
    identity,
    channels,
    ...(businessTokens ? { businessTokens } : {}),
  })
  const revocations = createRevocationWatch({ ...deps, keyRing: apiKeys, stillValid })
  return {
    authenticate,
    stillValid,
    policy: createPolicy({ rules, ...(hook ? { hook } : {}) }),
    revocations,
    close: () => {
      revocations.close()
      apiKeys.close()
    },
  }
}
