import { type RedisClients, reply } from '@saoma/redis'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import * as v from 'valibot'
import { swap } from './scripts.ts'
import type { Seal } from './sealed.ts'

export interface SigningKeyTimes {
  /** Age at which the signing key gets a successor. @default 30 days */
  rotateMs: number
  /** How long a successor is published before it signs, so that every cached JWKS knows it. @default 1 hour */
  publishAheadMs: number
  /** How long a replaced key stays published: longer than any token it signed. @default 2 hours */
  retireMs: number
}

const HOUR_MS = 3_600_000
const defaults: SigningKeyTimes = { rotateMs: 30 * 24 * HOUR_MS, publishAheadMs: HOUR_MS, retireMs: 2 * HOUR_MS }

const StoredRing = v.array(v.object({ kid: v.string(), signsFrom: v.number(), sealed: v.string() }))
type StoredKey = v.InferOutput<typeof StoredRing>[number]

/** Private JWKs of ES256, the one that signs now in front; all of them verify. */
export type KeyRing = readonly [JWK, ...JWK[]]

const generate = async (seal: Seal, signsFrom: number): Promise<StoredKey> => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  const kid = await calculateJwkThumbprint(jwk)
  return { kid, signsFrom, sealed: await seal.close({ ...jwk, kid, alg: 'ES256', use: 'sig' }) }
}

/** What the ring should be at `now`: keys long replaced are dropped, an old signing key gets a successor. */
const renew = async (ring: StoredKey[], seal: Seal, now: number, times: SigningKeyTimes): Promise<StoredKey[]> => {
  const newest = ring.at(-1)
  if (!newest) return [await generate(seal, now)]
  const kept = ring.filter((_, i) => {
    const successor = ring[i + 1]
    return !successor || successor.signsFrom + times.retireMs > now
  })
  return now - newest.signsFrom > times.rotateMs ? [...kept, await generate(seal, now + times.publishAheadMs)] : kept
}

/**
 * Reads the cluster's signing keys, making the first one or a successor when it is time. Every node may call this at once:
 * the swap lets one writer through and the others read what it wrote.
 *
 * The keys have no TTL: without them every token that is out would be worthless.
 */
export const loadSigningKeys = async (
  redis: RedisClients,
  seal: Seal,
  times: Partial<SigningKeyTimes> = {},
  now = Date.now(),
): Promise<KeyRing> => {
  const key = redis.keys.signingKeys()
  for (let attempt = 0; attempt < 5; attempt++) {
    const present = (await reply(redis.data.get(key))) ?? ''
    const ring = present ? v.parse(StoredRing, JSON.parse(present)) : []
    const wanted = await renew(ring, seal, now, { ...defaults, ...times })
    const unchanged = wanted.length === ring.length && wanted.at(-1)?.kid === ring.at(-1)?.kid
    if (!unchanged && !(await swap(redis.data, [key], [present, JSON.stringify(wanted)]))) continue

    const signer = wanted.findLast(({ signsFrom }) => signsFrom <= now) ?? wanted[0]
    const ordered = [signer, ...wanted.filter((stored) => stored !== signer)].filter((stored) => stored !== undefined)
    const [first, ...rest] = (await Promise.all(ordered.map(({ sealed }) => seal.open(sealed)))) as JWK[]
    if (first) return [first, ...rest]
  }
  throw new Error('the signing keys kept changing while they were read')
}
