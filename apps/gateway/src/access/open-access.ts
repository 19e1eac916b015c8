import type { Channels } from '@saoma/channels'
import type { Identity } from '@saoma/identity'
import type { Subscriber } from '@saoma/redis'
import type { Logger } from '../operate/log.ts'
import { joinKeys } from './all-keys.ts'
import { type ApiKeys, createApiKeys } from './api-keys.ts'
import { createAuthenticate } from './authenticate.ts'
import { createAuthorizationWebhook } from './authorization-webhook.ts'
import { type BusinessTokenSettings, openBusinessTokens } from './business-tokens.ts'
import type { HeldKeys } from './held-keys.ts'
import { createPolicy } from './policy.ts'
import type { Authenticate, Policy, StillValid } from './principal.ts'
import type { ListText } from './reread-list.ts'
import { createRevocationWatch, type RevocationWatch } from './revocation-watch.ts'
import type { Rules } from './rules.ts'

export interface OpenAccessDeps {
  channels: Channels
  identity: Identity
  rules: Rules
  subscriber: Subscriber
  /** The subscriber of the sessions' Redis, if the channels have a Redis of their own. */
  loginsSubscriber?: Subscriber
  /** The API keys of Redis. */
  heldKeys: HeldKeys
  log: Logger
}

export interface AccessSettings extends BusinessTokenSettings {
  apiKeys: ListText
  /** The webhook that decides where a rule says `hook`. */
  hook?: { url: string; secret: string }
}

/** Authentication, authorization and revocation. */
export interface Access {
  /** The API keys of the file. */
  fileKeys: Pick<ApiKeys, 'all'>
  authenticate: Authenticate
  stillValid: StillValid
  policy: Policy
  revocations: RevocationWatch
  close(): void
}

export const openAccess = (deps: OpenAccessDeps, settings: AccessSettings): Access => {
  const { channels, identity, rules, heldKeys, log } = deps
  const fileKeys = createApiKeys(settings.apiKeys, {
    onProblem: (problems) =>
      log.error({ event: 'api-keys', problems }, 'SAOMA_API_KEYS has problems: the previous keys stay valid'),
  })
  const apiKeys = joinKeys(fileKeys, heldKeys)
  const businessTokens = openBusinessTokens(settings, log)
  const hook = settings.hook && createAuthorizationWebhook(settings.hook, log)
  const { authenticate, stillValid } = createAuthenticate({
    apiKeys,
    identity,
    channels,
    ...(businessTokens.tokens ? { businessTokens: businessTokens.tokens } : {}),
  })
  const revocations = createRevocationWatch({ ...deps, keyRing: apiKeys, stillValid })
  return {
    fileKeys,
    authenticate,
    stillValid,
    policy: createPolicy({ rules, ...(hook ? { hook } : {}) }),
    revocations,
    close: () => {
      revocations.close()
      businessTokens.close()
      fileKeys.close()
    },
  }
}
