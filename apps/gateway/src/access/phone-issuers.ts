import { exactText } from '@saoma/protocol'
import { errors, jwtVerify } from 'jose'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'
import {
  type BusinessKeys,
  type BusinessKeysOptions,
  createBusinessKeys,
  KeysUnavailable,
  LEEWAY_SECONDS,
} from './business-keys.ts'
import {
  type ParsedIssuers,
  type PhoneIssuer,
  type ProfileName,
  parsePhoneIssuers,
  profileNames,
} from './read-phone-issuers.ts'
import { type ListText, rereadList } from './reread-list.ts'
import { type Claims, claimsIn, typeOf } from './signed-tokens.ts'
import { type JwtRefusal, whyOf } from './token-refusals.ts'

/** What a token of the business's app says, once it is verified. */
export interface Subject {
  /** The name of its issuer. */
  app: string
  /** Who the person is to that issuer. */
  id: string
  /** Names the token, among all of all issuers. */
  token: string
  /** When it can be forgotten, in seconds since 1970. */
  until: number
  profile: Readonly<Partial<Record<ProfileName, unknown>>>
  /** Thumbprint of the key that the token is bound to (RFC 7800). */
  jkt?: string
  /** Whether the app has to prove a key in any case. */
  needsKey: boolean
}

/** Why a token is refused, for the developer of the app. */
const refusals = {
  form: 'it is no signed JWT',
  issuer: 'its issuer is not known here',
  audience: 'it is for another audience',
  algorithm: 'its algorithm is not allowed',
  type: 'its typ does not fit its subject_token_type',
  key: 'its key is not among the published ones',
  keys: 'several published keys fit it, because it names none or two have one name',
  signature: 'its signature is wrong',
  times: 'it needs exp and iat, and exp, iat and nbf must be numbers',
  expired: 'it has expired',
  early: `it is not valid yet: the clocks differ by more than ${LEEWAY_SECONDS} s, or its nbf is to come`,
  life: 'it lives for more than ten minutes',
  person: 'the claim that names the person is missing, or is no id of 1 to 128 characters',
  jti: 'it needs a jti of 1 to 256 characters',
  bound: 'it is bound to a key in another way than by the thumbprint of a JWK',
} as const satisfies Record<JwtRefusal, string> & Record<string, string>

export type VerifiedSubject =
  | { ok: true; value: Subject }
  | { ok: false; kind: 'rejected'; message: string }
  | { ok: false; kind: 'unavailable' }

/** The issuers of the business's own apps, as they are at the moment. */
export interface PhoneIssuers {
  /**
   * Verifies a token. It says nothing about whether the token was used before.
   *
   * @param type  what the token is said to be: `jwt`, `id_token` or `access_token`
   */
  verify(token: string, type: string): Promise<VerifiedSubject>
  close(): void
}

/** The longest life of a token, from `iat` to `exp`: it is used at once. */
export const LONGEST_LIFE_SECONDS = 600
/** Nodes whose clocks differ remember a used token for longer than any of them takes it. */
const MARGIN_SECONDS = 60
/** Types of JWT, by what the token is said to be. Others say nothing of a person (RFC 8725, section 3.11). */
const types: Readonly<Record<string, readonly unknown[]>> = {
  jwt: [undefined, 'jwt', 'at+jwt'],
  access_token: [undefined, 'jwt', 'at+jwt'],
  id_token: [undefined, 'jwt'],
}

const Times = v.object({ exp: v.number(), iat: v.number() })
const Id = v.pipe(v.string(), v.minLength(1), v.maxLength(128))
const Jti = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
const Bound = v.optional(v.object({ jkt: v.string() }))

const refuse = (why: keyof typeof refusals): VerifiedSubject => ({
  ok: false,
  kind: 'rejected',
  message: `the subject token is refused: ${refusals[why]}`,
})

/** What a verified token says, or why that is too little. */
const subjectIn = (claims: Claims, { exp }: v.InferOutput<typeof Times>, issuer: PhoneIssuer): VerifiedSubject => {
  const named = claims[issuer.personClaim]
  // 64-bit ids keep their exact digits. Backends use 0 for "nobody".
  const id = v.safeParse(Id, typeof named === 'string' ? named : named === 0 ? '' : exactText(named))
  if (!id.success) return refuse('person')
  const jti = v.safeParse(Jti, claims.jti)
  if (!jti.success) return refuse('jti')
  const bound = v.safeParse(Bound, claims.cnf)
  if (!bound.success) return refuse('bound')
  const profile = profileNames.flatMap((name) => {
    const claim = issuer.profileClaims[name]
    return claim === undefined || claims[claim] === undefined ? [] : [[name, claims[claim]] as const]
  })
  return {
    ok: true,
    value: {
      app: issuer.name,
      id: id.output,
      token: JSON.stringify([issuer.issuer, jti.output]),
      until: Math.ceil(exp) + LEEWAY_SECONDS + MARGIN_SECONDS,
      profile: Object.fromEntries(profile),
      ...(bound.output ? { jkt: bound.output.jkt } : {}),
      needsKey: issuer.needsKey,
    },
  }
}

/** An issuer, and its keys in the memory of the node. */
interface Known {
  issuer: PhoneIssuer
  keys: BusinessKeys
}

/**
 * The file is read again when it changes. With a mistake in it, the issuers that were read before stay.
 *
 * @param onProblem  called once per change, with the reasons
 * @param options  the clocks, and how keys are read
 */
export const createPhoneIssuers = (
  list: ListText,
  onProblem: (problems: readonly string[]) => void,
  log: Logger,
  options: Omit<BusinessKeysOptions, 'about'> & { lookMs?: number } = {},
): PhoneIssuers => {
  const { date = Date.now, lookMs, ...reading } = options
  let known = new Map<string, Known>()

  const nameOf = ({ name, source, algorithms }: PhoneIssuer): string => JSON.stringify([name, source, algorithms])
  const openKeys = ({ name, source, algorithms }: PhoneIssuer): BusinessKeys =>
    createBusinessKeys(source, algorithms, log, {
      ...reading,
      date,
      about: { setting: 'SAOMA_PHONE_ISSUERS', app: name },
    })
  /** Keys that are known stay, because their source may be away now. */
  const take = ({ issuers }: ParsedIssuers): void => {
    const held = new Map([...known.values()].map(({ issuer, keys }) => [nameOf(issuer), keys]))
    const next = issuers.map((issuer): [string, Known] => {
      const keys = held.get(nameOf(issuer)) ?? openKeys(issuer)
      held.set(nameOf(issuer), keys)
      return [issuer.issuer, { issuer, keys }]
    })
    known = new Map(next)
    const used = new Set(next.map(([, { keys }]) => keys))
    for (const keys of held.values()) if (!used.has(keys)) keys.close()
  }
  take(parsePhoneIssuers(list.text))
  const empty = 'it is empty; [] stands for no issuers'
  const stop = rereadList(list, { parse: parsePhoneIssuers, take, onProblem, empty }, lookMs)

  return {
    // Cheap checks come first: anyone can send any token.
    verify: async (token, type) => {
      const claims = claimsIn(token)
      if (!claims) return refuse('form')
      const found = typeof claims.iss === 'string' ? known.get(claims.iss) : undefined
      if (!found) return refuse('issuer')
      const times = v.safeParse(Times, claims)
      if (!times.success) return refuse('times')
      const { exp, iat } = times.output
      const nowMs = date()
      // Its key may be gone already, and an expired token is worth no look for it.
      if (nowMs >= (exp + LEEWAY_SECONDS) * 1000) return refuse('expired')
      if (iat * 1000 > nowMs + LEEWAY_SECONDS * 1000) return refuse('early')
      if (exp - iat > LONGEST_LIFE_SECONDS) return refuse('life')
      const { issuer, keys } = found
      try {
        const { protectedHeader } = await jwtVerify(token, keys.of(iat), {
          issuer: issuer.issuer,
          audience: [...issuer.audiences],
          algorithms: [...issuer.algorithms],
          clockTolerance: LEEWAY_SECONDS,
          currentDate: new Date(nowMs),
        })
        if (!types[type]?.includes(typeOf(protectedHeader))) return refuse('type')
      } catch (error) {
        if (error instanceof KeysUnavailable) return { ok: false, kind: 'unavailable' }
        if (error instanceof errors.JOSEError) return refuse(whyOf(error))
        throw error
      }
      return subjectIn(claims, times.output, issuer)
    },
    close: () => {
      stop()
      for (const { keys } of known.values()) keys.close()
    },
  }
}
