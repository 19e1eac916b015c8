import { createHash } from 'node:crypto'
import { endOf } from '@saoma/channels'
import { exactText, fail, ok, parseExact, type Result } from '@saoma/protocol'
import { errors, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import * as v from 'valibot'
import type { Logger } from '../operate/log.ts'
import { type BusinessKeysOptions, createBusinessKeys, KeysUnavailable, LEEWAY_SECONDS } from './business-keys.ts'
import type { BusinessTokens } from './business-tokens.ts'
import { readUid } from './business-uid.ts'
import type { SignatureAlgorithm } from './key-set.ts'
import type { KeySource } from './key-source.ts'
import type { Person } from './principal.ts'
import { createTokenRefusals } from './token-refusals.ts'

/** The claims that hold what Saoma needs, by their names in the tokens of the business. */
export interface ClaimNames {
  uid: string
  rooms: string
  sid: string
}

/** What a token of the business must be. */
export interface SignedTokenRules {
  issuer: string
  /** A token must be for one of these. */
  audiences: readonly string[]
  claims: ClaimNames
  algorithms: readonly SignatureAlgorithm[]
}

/** Verifies the JWTs of the business on this node. The business is asked for its keys only. */
export interface SignedTokens extends BusinessTokens {
  /** Whether a token is a JWT that names the issuer. Anyone can write such a token: `resolve` decides. */
  isOf(token: string): boolean
  close(): void
}

/**
 * The longest life of a token, from `iat` to `exp`. The end of a person's sessions is remembered for as long,
 * so an ended token never gets in again.
 */
export const LONGEST_LIFE_SECONDS = 31 * 86_400
/** How long the ends of sessions have to be remembered: also for a token that the leeway lets live longer. */
export const REMEMBER_ENDS_MS = (LONGEST_LIFE_SECONDS + 60) * 1000

/** For how long an end has to be remembered, in milliseconds; undefined if the usual hour will do. */
export const keepsEndsMs = ({ signed }: { signed?: unknown }): number | undefined =>
  signed === undefined ? undefined : REMEMBER_ENDS_MS

/** LRU size for verified tokens, under 1 KB each. */
const MOST_REMEMBERED = 20_000

const Times = v.object({ exp: v.number(), iat: v.number() })
const Rooms = v.nullish(v.array(v.string()), [])
const MOST_SID = 128
/** Other types of JWT are no access tokens, such as `logout+jwt` (RFC 8725, section 3.11). */
const types: readonly unknown[] = [undefined, 'jwt', 'at+jwt']
export const typeOf = ({ typ }: { typ?: unknown }): unknown =>
  typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ

/** The claims of a token, as they are. */
export type Claims = Readonly<Record<string, unknown>>

/** The claims of a JWT, with the exact digits of their numbers. They are not verified. */
export const claimsIn = (token: string): Claims | undefined => {
  const [, payload = '', signature, ...rest] = token.split('.')
  if (signature === undefined || rest.length > 0) return undefined
  try {
    const claims = parseExact(Buffer.from(payload, 'base64url').toString())
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? (claims as Claims) : undefined
  } catch {
    return undefined
  }
}

interface Verified {
  person: Person
  /** Seconds since 1970. */
  issuedAt: number
  /** The keys that it was verified with. */
  version: number
}

/**
 * @param rules  what a token must be
 * @param options  the clocks, and how the keys are read
 */
export const createSignedTokens = (
  source: KeySource,
  { issuer, audiences, claims: names, algorithms }: SignedTokenRules,
  log: Logger,
  options: BusinessKeysOptions = {},
): SignedTokens => {
  const { now = () => performance.now(), date = Date.now } = options
  const keys = createBusinessKeys(source, algorithms, log, { ...options, now, date })
  const { refuse, refusalOf } = createTokenRefusals(log, now)
  const remembered = new LRUCache<string, Verified>({ max: MOST_REMEMBERED })

  /** Who a verified token is for. */
  const personIn = (claims: Claims, { exp, iat }: v.InferOutput<typeof Times>): Result<Person> => {
    const uid = readUid(claims[names.uid])
    if (uid.kind !== 'person') return refuse('uid', { claim: names.uid })
    const rooms = v.safeParse(Rooms, claims[names.rooms])
    if (!rooms.success) return refuse('rooms', { claim: names.rooms })
    const written = claims[names.sid] ?? undefined
    const sid = typeof written === 'string' ? written : exactText(written)
    if (written !== undefined && (sid === undefined || sid.length > MOST_SID))
      return refuse('sid', { claim: names.sid })
    if (exp - iat > LONGEST_LIFE_SECONDS) return refuse('life')
    // An end of sessions would not concern a token that was issued later.
    if (iat * 1000 > date() + LEEWAY_SECONDS * 1000) return refuse('early')
    return ok({
      kind: 'person',
      issuer: 'business',
      user: uid.user,
      ...(sid ? { sid } : {}),
      expiresAt: Math.floor((exp + LEEWAY_SECONDS) * 1000),
      rooms: rooms.output ?? [],
    })
  }

  /** Cheap checks come first: anyone can send any token. */
  const verify = async (token: string): Promise<Result<Verified>> => {
    const claims = claimsIn(token)
    if (!claims) return refuse('form')
    if (claims.iss !== issuer) return refuse('issuer', { found: claims.iss })
    const times = v.safeParse(Times, claims)
    if (!times.success) return refuse('times')
    const { exp, iat } = times.output
    // Its key may be gone already, and an expired token is worth no look for it.
    if (date() >= (exp + LEEWAY_SECONDS) * 1000) return refuse('expired')
    const { version } = keys
    try {
      const { protectedHeader } = await jwtVerify(token, keys.of(iat), {
        issuer,
        audience: [...audiences],
        algorithms: [...algorithms],
        clockTolerance: LEEWAY_SECONDS,
        currentDate: new Date(date()),
      })
      if (!types.includes(typeOf(protectedHeader))) return refuse('type', { found: protectedHeader.typ })
    } catch (error) {
      if (error instanceof KeysUnavailable) return fail('BACKEND_UNAVAILABLE')
      if (error instanceof errors.JOSEError) return refusalOf(error, token)
      throw error
    }
    const person = personIn(claims, times.output)
    return person.ok ? ok({ person: person.value, issuedAt: iat, version }) : person
  }

  /** The signature is the most expensive part. It stays good as long as the keys stay the same. */
  const recall = async (token: string): Promise<Result<Verified>> => {
    // Remember by hash, so that a node's memory holds no tokens of other issuers.
    const name = createHash('sha256').update(token).digest('base64')
    const before = remembered.get(name)
    if (before && before.version === keys.version) {
      if (date() < before.person.expiresAt) return ok(before)
      remembered.delete(name)
      return refuse('expired')
    }
    const verified = await verify(token)
    if (verified.ok) remembered.set(name, verified.value)
    else remembered.delete(name)
    return verified
  }

  return {
    isOf: (token) => claimsIn(token)?.iss === issuer,
    resolve: async (token, _from, lastEnd) => {
      const verified = await recall(token)
      if (!verified.ok) return verified
      const { person, issuedAt } = verified.value
      if (lastEnd === undefined) return ok(person)
      // `iat` has whole seconds. A token of the same second is mostly the one that the person gets next.
      return issuedAt >= endOf(lastEnd) ? ok({ ...person, lastEnd }) : fail('REVOKED')
    },
    close: keys.close,
  }
}
