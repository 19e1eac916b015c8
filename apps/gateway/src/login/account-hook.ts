import { claimsSchema, type Decision, type OutsideIdentity, subSchema } from '@saoma/accounts'
import * as v from 'valibot'
import { networkOf, wideNetworkOf } from '../access/networks.ts'
import { createWebhookClient } from '../access/webhook-client.ts'
import type { Logger } from '../operate/log.ts'

export interface AccountHookSettings {
  url: string
  /** Sent as the Bearer token. */
  secret: string
  /** `birth`: asked once for each person. `login`: asked again each time a phone proves who it is. */
  when: 'birth' | 'login'
  /** Names of the business's own claims. */
  ownClaims: readonly string[]
}

/** What the business is asked about. `from` is the address of the phone. */
export interface AccountQuestion {
  identity: OutsideIdentity
  from: string
  /** The number of the person's phone, if WeChat has told it now. */
  phoneNumber?: string
}

/** The business says who somebody is. */
export interface AccountHook {
  /**
   * Resolves with undefined if the business is not to be asked. Only the business's own answer is a yes:
   * without one the person is refused. Never rejects.
   */
  decide(question: AccountQuestion, known: { isNew: boolean; sub?: string }): Promise<Decision | undefined>
}

const SETTING = 'SAOMA_ACCOUNT_URL'
const TIMEOUT_MS = 3_000
const MAX_IN_FLIGHT = 400
const MAX_PER_NETWORK = 8
/** Characters of the sentence for the person. */
const LONGEST_SENTENCE = 200

const answerSchema = (ownClaims: readonly string[]) =>
  v.variant('allow', [
    v.strictObject({
      allow: v.literal(true),
      sub: v.nullish(subSchema),
      claims: v.nullish(claimsSchema(ownClaims)),
    }),
    v.strictObject({
      allow: v.literal(false),
      detail: v.nullish(v.pipe(v.string(), v.maxLength(LONGEST_SENTENCE))),
    }),
  ])

/**
 * Posts `{ action, identity, phone_number?, sub? }` and expects `{ allow, sub?, claims? }`, or
 * `{ allow: false, detail? }`, or status 403 for no.
 */
export const createAccountHook = ({ url, secret, when, ownClaims }: AccountHookSettings, log: Logger): AccountHook => {
  const business = createWebhookClient({
    setting: SETTING,
    url,
    secret,
    answer: answerSchema(ownClaims),
    refusals: [403],
    timeoutMs: TIMEOUT_MS,
    maxInFlight: MAX_IN_FLIGHT,
    maxPerSubject: MAX_PER_NETWORK,
    log,
  })

  return {
    decide: async ({ identity, from, phoneNumber }, { isNew, sub }) => {
      if (!isNew && when === 'birth') return undefined
      const question = {
        action: isNew ? 'birth' : 'login',
        identity,
        ...(phoneNumber === undefined ? {} : { phone_number: phoneNumber }),
        ...(sub === undefined ? {} : { sub }),
      }
      const reply = await business.ask(question, networkOf(from), wideNetworkOf(from))
      if (reply.kind === 'refused') return { allow: false, why: 'ACCOUNT_REFUSED' }
      if (reply.kind === 'unavailable') return { allow: false, why: 'BACKEND_UNAVAILABLE' }
      const { body } = reply
      if (!body.allow) return { allow: false, why: 'ACCOUNT_REFUSED', ...(body.detail ? { detail: body.detail } : {}) }
      if (sub !== undefined && body.sub && body.sub !== sub)
        log.warn(
          { event: 'business', setting: SETTING },
          'the address names another sub for a person who has one: a sub never changes',
        )
      return {
        allow: true,
        ...(body.sub ? { sub: body.sub } : {}),
        ...(body.claims ? { claims: body.claims } : {}),
      }
    },
  }
}
