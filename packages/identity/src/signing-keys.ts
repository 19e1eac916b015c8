import { orUnavailable, type RedisClients } from '@saoma/redis'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import * as v from 'valibot'
import type { KeySeal } from './key-seal.ts'
import { swap } from './scripts.ts'

export interface SigningKeyTimes {
  /** Age at which the signing key gets a successor. @default 30 days */
  rotateMs: number
  /**
   * How long a successor is published before it signs, so that every cached JWKS knows it. @default 1 hour
   */
  publishAheadMs: number
  /** How long a replaced key stays published: longer than any token it signed. @default 2 hours */
  retireMs: number
}

const HOUR_MS = 3_600_000
const defaults: SigningKeyTimes = { rotateMs: 30 * 24 * HOUR_MS, publishAheadMs: HOUR_MS, retireMs: 2 * HOUR_MS }
/**
 * A key that Redis has lost and that has less than this to go is not brought back: the clocks of two nodes
 * need not agree on its end.
 */
const WORTH_MS = 60_000
/** Keys that were taken away: more than anybody takes away while their tokens live. */
const MOST_REVOKED = 20

/** As it lies in Redis. */
export const StoredRing = v.array(v.object({ kid: v.string(), signsFrom: v.number(), sealed: v.string() }))
type StoredKey = v.InferOutput<typeof StoredRing>[number]

/**
 * Written with each ring, and left behind by an operator who deletes the ring: so that a key that was taken
 * away is told from one that was lost.
 */
const Known = v.object({ kids: v.array(v.string()), revoked: v.array(v.string()) })

/** Private JWKs of ES256, the one that signs now in front; all of them verify. */
export type KeyRing = readonly [JWK, ...JWK[]]

const generate = async (seal: KeySeal, signsFrom: number): Promise<StoredKey> => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  const kid = await calculateJwkThumbprint(jwk)
  return { kid, signsFrom, sealed: await seal.close({ ...jwk, kid, alg: 'ES256', use: 'sig' }) }
}

/** What of a ring is still published at `now`: all but the keys that were replaced long ago. */
const published = (ring: readonly StoredKey[], now: number, { retireMs }: SigningKeyTimes): StoredKey[] =>
  ring.filter((_, i) => {
    const successor = ring[i + 1]
    return !successor || successor.signsFrom + retireMs > now
  })

/** What the ring should be at `now`: keys long replaced are dropped, an old signing key gets a successor. */
const renew = async (
  ring: readonly StoredKey[],
  seal: KeySeal,
  now: number,
  times: SigningKeyTimes,
): Promise<StoredKey[]> => {
  const newest = ring.at(-1)
  if (!newest) return [await generate(seal, now)]
  const kept = published(ring, now, times)
  return now - newest.signsFrom > times.rotateMs ? [...kept, await generate(seal, now + times.publishAheadMs)] : kept
}

/** Both together, the oldest first. Of what Redis does not have only what is good for a while yet. */
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
 * The cluster's signing keys, as a node knows them. They have no TTL: without them every token that is out
 * would be worthless.
 *
 * What a node holds and what Redis has are merged at each look, whichever of them is behind: a Redis that
 * comes back empty, or from an older copy, gets the keys again from the first node that looks, and tokens
 * that are out stay good. Keys that an operator has deleted do not come back: nodes remember which they were,
 * and Redis does.
 */
export const createSigningKeys = (redis: RedisClients, seal: KeySeal, options: Partial<SigningKeyTimes> = {}) => {
  const times = { ...defaults, ...options }
  const at: [ring: string, known: string] = [redis.keys.signingKeys(), redis.keys.signingKeysKnown()]
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
     * Reads the keys, making the first one or a successor when it is time. Every node may call this at once:
     * the swap lets one writer through and the others read what it wrote.
     */
    load: async (now = Date.now()): Promise<KeyRing> => {
      for (let attempt = 0; attempt < 5; attempt++) {
        const [text, knownText] = await orUnavailable(redis.data.mget(...at))
        const stored = text ? v.parse(StoredRing, JSON.parse(text)) : []
        const known = knownText ? v.parse(Known, JSON.parse(knownText)) : { kids: [], revoked: [] }
        const has = new Set(stored.map(({ kid }) => kid))
        // A node that knows nothing of this may have made a key in their place already.
        const isDeleted = knownText && !known.kids.some((kid) => has.has(kid))
        const takenAway = isDeleted ? [...known.kids, ...held.map(({ kid }) => kid)].filter((kid) => !has.has(kid)) : []
        const gone = [...new Set([...known.revoked, ...revoked, ...takenAway])].slice(-MOST_REVOKED)

        const merged = merge(stored, held, now, times).filter(({ kid }) => !gone.includes(kid))
        const wanted = await renew(merged, seal, now, times)
        const signer = wanted.findLast(({ signsFrom }) => signsFrom <= now) ?? wanted[0]
        const ordered = [signer, ...wanted.filter((key) => key !== signer)].filter((key) => key !== undefined)
        // Before anything is written: with a secret that does not fit, what is there stays as it is.
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
