import { createHash } from 'node:crypto'
import { type Claims, claimsSchema, type OutsideIdentity } from '@saoma/accounts'
import type { Audit } from '@saoma/audit'
import type { RecogniseApp } from '@saoma/identity'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import type { PhoneIssuers, Subject } from '../access/phone-issuers.ts'
import { profileNames } from '../access/read-phone-issuers.ts'
import type { AccountHook } from './account-hook.ts'

export interface IdentifyAppDeps {
  redis: Pick<RedisClients, 'data' | 'keys' | 'writing'>
  issuers: Pick<PhoneIssuers, 'verify'>
  audit: { refusals: Pick<Audit['refusals'], 'of'> }
  /** The business, if it says who somebody is. */
  hook?: AccountHook
}

/** Why a token that is signed rightly is refused, for the developer of the app. */
const refusals = {
  used: 'it was used before: get another one for each exchange',
  'key-missing': 'the request must prove a key, with the header DPoP',
  'key-wrong': 'it is bound to another key than the one that the request proves',
} as const

const schema = claimsSchema([])
/** The claims of a token that an account may have. What does not fit is left out, and the person gets in. */
const profileOf = (profile: Subject['profile']): Claims | undefined => {
  const fitting = profileNames.flatMap((name) =>
    v.is(schema, { [name]: profile[name] }) && profile[name] !== undefined ? [[name, profile[name]] as const] : [],
  )
  return fitting.length > 0 ? (Object.fromEntries(fitting) as Claims) : undefined
}

/**
 * Identifies the person of the business's own app, by a token that the app's backend has signed. The token is
 * used up before anybody is met. So it is used once, whatever becomes of the request.
 */
export const createIdentifyApp = ({ redis, issuers, audit, hook }: IdentifyAppDeps): RecogniseApp => {
  const { data, keys, writing } = redis

  /** Resolves with whether this call was the first one. */
  const useUp = async ({ token, until }: Subject): Promise<boolean> => {
    const key = keys.subjectToken(createHash('sha256').update(token).digest('base64url'))
    const replicated = writing(key)
    const seconds = Math.max(1, until - Math.floor(Date.now() / 1000))
    const isFirst = (await orUnavailable(data.set(key, '', 'EX', seconds, 'NX'))) !== null
    await replicated()
    return isFirst
  }

  const wrongIn = async (subject: Subject, jkt: string | undefined): Promise<keyof typeof refusals | undefined> => {
    if (jkt === undefined && (subject.needsKey || subject.jkt !== undefined)) return 'key-missing'
    if (subject.jkt !== undefined && subject.jkt !== jkt) return 'key-wrong'
    return (await useUp(subject)) ? undefined : 'used'
  }

  return async (token, type, { from, jkt }) => {
    const verified = await issuers.verify(token, type)
    if (!verified.ok) return verified
    const { app, id, profile } = verified.value
    const wrong = await wrongIn(verified.value, jkt)
    if (wrong !== undefined) {
      audit.refusals.of({ kind: 'phone.refused', app, reason: wrong, client: 'phone', ip: from })
      return { ok: false, kind: 'rejected', message: `the subject token is refused: ${refusals[wrong]}` }
    }
    const identity: OutsideIdentity = { provider: 'app', app, id }
    if (hook) return { ok: true, identity, meeting: { decide: (known) => hook.decide({ identity, from }, known) } }
    const told = profileOf(profile)
    if (!told) return { ok: true, identity }
    return { ok: true, identity, meeting: { decide: async () => ({ allow: true, profile: told }) } }
  }
}
