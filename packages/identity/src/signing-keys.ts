import { orUnavailable, type RedisClients } from '@saoma/redis'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import * as v from 'valibot'
import type { KeySeal } from './key-seal.ts'
import { swap } from './scripts.ts'

export interface SigningKeyTimes {
  /** Age at which the signing key gets a successor. @default 30 days */
  rotateMs: number
  /**
   * How long a successor is published before it signs, so that every cached JWKS contains it. @default 1 hour
   */
  publishAheadMs: number
  /** How long a replaced key stays published: longer than any token it signed. @default 2 hours */
  retireMs: number
}

const HOUR_MS = 3_600_000
const defaults: SigningKeyTimes = { rotateMs: 30 * 24 * HOUR_MS, publishAheadMs: HOUR_MS, retireMs: 2 * HOUR_MS }
/**
 * A lost key with less than this time to live is not restored, because the clocks of two nodes may differ
 * about its end.
 */
const WORTH_MS = 60_000
/** Most revoked keys that are remembered: more than an operator removes while their tokens live. */
const MOST_REVOKED = 20

/** The ring as it is stored in Redis. */
export const StoredRing = v.array(v.object({ kid: v.string(), signsFrom: v.number(), sealed: v.string() }))
type StoredKey = v.InferOutput<typeof StoredRing>[number]

/**
 * Stored with each ring, and kept when an operator deletes the ring. It tells a key that was removed on
 * purpose from a lost one.
 */
const Known = v.object({ kids: v.array(v.string()), revoked: v.array(v.string()) })

/**
 * The algorithms of tokens. Access tokens and the tokens of our own pages have ES256. Id tokens of
 * applications have RS256, which every OpenID provider must offer (OpenID Connect Core, section 15.1) and
 * some libraries expect whatever discovery says.
 */
export const signingAlgorithms = ['ES256', 'RS256'] as const
export type SigningAlgorithm = (typeof signingAlgorithms)[number]

/** Private JWKs of one algorithm. The first one signs; all of them verify. */
export type KeyRing = readonly [JWK, ...JWK[]]
/** The keys of each algorithm. */
export type KeyRings = Readonly<Record<SigningAlgorithm, KeyRing>>

const generate = async (alg: SigningAlgorithm, seal: KeySeal, signsFrom: number): Promise<StoredKey> => {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  const kid = await calculateJwkThumbprint(jwk)
  return { kid, signsFrom, sealed: await seal.close({ ...jwk, kid, alg, use: 'sig' }) }
}

/** The part of a ring that is published at `now`: all but the keys that were replaced long ago. */
const published = (ring: readonly StoredKey[], now: number, { retireMs }: SigningKeyTimes): StoredKey[] =>
  ring.filter((_, i) => {
    const successor = ring[i + 1]
    return !successor || successor.signsFrom + retireMs > now
  })

/**
 * The ring as it should be at `now`: without keys replaced long ago, and with a successor for an old signing
 * key.
 */
const renew = async (
  alg: SigningAlgorithm,
  ring: readonly StoredKey[],
  seal: KeySeal,
  now: number,
  times: SigningKeyTimes,
): Promise<StoredKey[]> => {
  const newest = ring.at(-1)
  if (!newest) return [await generate(alg, seal, now)]
  const kept = published(ring, now, times)
  if (now - newest.signsFrom <= times.rotateMs) return kept
  return [...kept, await generate(alg, seal, now + times.publishAheadMs)]
}

/** Merges both rings, oldest key first. Keys that Redis lacks are added only if they are good for a while. */
const merge = (
  stored: readonly StoredKey[],
  held: readonly StoredKey[],
  now: number,
  times: SigningKeyTimes,
): StoredKey[] => {
  const has = new Set(stored.map(({ kid }) => kid))
  const all = [...stored, ...held.filter(({ kid }) => !has.has(kid))].sort(
    (a, b) => a.signsFrom - b.signsFrom || (a.kid < b.kid ? -1 : 1),
  )
  const lasting = new Set(published(all, now + WORTH_MS, times))
  return all.filter((key) => has.has(key.kid) || lasting.has(key))
}

/**
 * The cluster's signing keys of one algorithm, as one node knows them. They have no TTL: without them all
 * issued tokens would be worthless.
 *
 * Each read merges the node's keys with those in Redis. If Redis comes back empty, or from an older copy, the
 * first node that reads restores the keys, and issued tokens stay valid. Keys that an operator deleted are
 * not restored: nodes and Redis remember their names.
 */
export const createSigningKeys = (
  redis: RedisClients,
  seal: KeySeal,
  options: Partial<SigningKeyTimes> = {},
  alg: SigningAlgorithm = 'ES256',
) => {
  const times = { ...defaults, ...options }
  const at: [ring: string, known: string] = [redis.keys.signingKeys(alg), redis.keys.signingKeysKnown(alg)]
  let held: readonly StoredKey[] = []
  let revoked: readonly string[] = []
  const opened = new Map<string, JWK>()

  const open = async ({ kid, sealed }: StoredKey): Promise<JWK> => {
    const jwk = opened.get(kid) ?? ((await seal.open(sealed)) as JWK)
    opened.set(kid, jwk)
    return jwk
  }

  return {
    /**
     * Reads the keys. Creates the first key, or a successor, when it is time. All nodes may call this at
     * once: the swap lets one writer through, and the others read its result.
     */
    load: async (now = Date.now()): Promise<KeyRing> => {
      for (let attempt = 0; attempt < 5; attempt++) {
        const [text, knownText] = await orUnavailable(redis.data.mget(...at))
        const stored = text ? v.parse(StoredRing, JSON.parse(text)) : []
        const known = knownText ? v.parse(Known, JSON.parse(knownText)) : { kids: [], revoked: [] }
        const has = new Set(stored.map(({ kid }) => kid))
        // An older node, which does not know about deleted keys, may already have created a key in their
        // place.
        const isDeleted = knownText && !known.kids.some((kid) => has.has(kid))
        const takenAway = isDeleted ? [...known.kids, ...held.map(({ kid }) => kid)].filter((kid) => !has.has(kid)) : []
        const gone = [...new Set([...known.revoked, ...revoked, ...takenAway])].slice(-MOST_REVOKED)

        const merged = merge(stored, held, now, times).filter(({ kid }) => !gone.includes(kid))
        const wanted = await renew(alg, merged, seal, now, times)
        const signer = wanted.findLast(({ signsFrom }) => signsFrom <= now) ?? wanted[0]
        const ordered = [signer, ...wanted.filter((key) => key !== signer)].filter((key) => key !== undefined)
        // Decrypt before any write: with a wrong secret, the stored ring stays unchanged.
        const [first, ...rest] = await Promise.all(ordered.map(open))

        const next = [
          JSON.stringify(wanted),
          JSON.stringify({ kids: wanted.map(({ kid }) => kid), revoked: gone }),
        ] as const
        const unchanged = next[0] === text && next[1] === knownText
        if (!first || (!unchanged && !(await swap(redis.data, at, [text ?? '', ...next])))) continue
        held = wanted
        revoked = gone
        return [first, ...rest]
      }
      throw new Error('the signing keys kept changing while they were read')
    },
  }
}
