import { createLocalJWKSet, type JSONWebKeySet, type JWK } from 'jose'

/**
 * The algorithms that a token of the business may be signed with. `none` and those with a shared secret
 * (HS256) cannot be chosen: whoever can read a published key could sign with it.
 */
export const signatureAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
  'Ed25519',
] as const
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number]

export interface KeySet {
  /**
   * Finds the key of a token, for `jwtVerify`. Rejects with JWKSNoMatchingKey or JWKSMultipleMatchingKeys.
   */
  find: ReturnType<typeof createLocalJWKSet>
  /** The keys that can verify. Two sets with the same text here are the same. */
  text: string
  /** Number of these keys. */
  size: number
  /** Number of keys that are there and cannot be used, such as keys for encryption. */
  unused: number
}

/** The keys, or what is wrong with them, as the end of a sentence. */
export type ReadKeySet = { ok: true; value: KeySet } | { ok: false; why: string }

/** A business has two or three keys at a time. */
const MOST_KEYS = 50
/** RSA keys with fewer bits can be broken; jose refuses them when it verifies. */
const LEAST_RSA_BITS = 2_048
/** The members that jose looks at. `d` is that of a private key, which it refuses. */
const MEMBERS = ['kty', 'use', 'key_ops', 'alg', 'kid', 'ext', 'crv', 'x', 'y', 'n', 'e', 'd']

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The list of keys in a JWKS, not looked at; undefined if the text is none. */
export const listKeys = (text: string): Record<string, unknown>[] | undefined => {
  const { keys } = Object(parse(text)) as { keys?: unknown }
  return Array.isArray(keys) && keys.every(isObject) ? keys : undefined
}

/** The key without what nobody needs, such as chains of certificates. */
const shorten = (key: Record<string, unknown>): JWK =>
  Object.fromEntries(MEMBERS.filter((name) => Object.hasOwn(key, name)).map((name) => [name, key[name]]))

/** Whether jose takes this key for one of the algorithms. Rejects if the key cannot even be copied. */
const isUsable = async (key: JWK, algorithms: readonly SignatureAlgorithm[]): Promise<boolean> => {
  const find = createLocalJWKSet({ keys: [key] })
  for (const alg of algorithms) {
    // A `kid` that is no text fits no token.
    const found = await find(key.kid === undefined ? { alg } : { alg, kid: key.kid }).catch(() => undefined)
    if (!found) continue
    const { modulusLength } = found.algorithm as { modulusLength?: number }
    return modulusLength === undefined || modulusLength >= LEAST_RSA_BITS
  }
  return false
}

/** Reads a JWKS (RFC 7517, section 5). Keys that cannot verify are left out, because others may be good. */
export const readKeySet = async (text: string, algorithms: readonly SignatureAlgorithm[]): Promise<ReadKeySet> => {
  const listed = listKeys(text)
  if (!listed) return { ok: false, why: 'it is no JWKS: it must be JSON with a list "keys"' }
  if (listed.length > MOST_KEYS) return { ok: false, why: `it has more than ${MOST_KEYS} keys` }
  const keys: JWK[] = []
  // A member of a key may be nested so deeply that copying it throws.
  for (const key of listed.map(shorten)) if (await isUsable(key, algorithms).catch(() => false)) keys.push(key)
  if (keys.length === 0)
    return {
      ok: false,
      why: `none of its ${listed.length} keys is a public key for ${algorithms.join(', ')}`,
    }
  const set: JSONWebKeySet = { keys }
  return {
    ok: true,
    value: {
      find: createLocalJWKSet(set),
      text: JSON.stringify(keys),
      size: keys.length,
      unused: listed.length - keys.length,
    },
  }
}
