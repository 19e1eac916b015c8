import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'

export interface KeysOptions {
  /** Address of the JWKS. */
  url: string
  fetch: typeof fetch
  /** A monotonic clock, in milliseconds. */
  now: () => number
}

/** The keys could not be fetched, or what came was no JWKS. `message` says why. */
export class KeysUnreachable extends Error {
  override readonly name = 'KeysUnreachable'
}

/**
 * Keys that are older are fetched before they are used again. So a key that an operator deleted is refused
 * after this time.
 */
const FRESH_MS = 10 * 60_000
/**
 * Rate limit: this long after a fetch there is no other, however it ended. Anyone can write a token with an
 * unknown key.
 */
export const PAUSE_MS = 2_000
const TIMEOUT_MS = 3_000

/** In one line: for `fetch failed` the code of its cause, such as ECONNREFUSED. */
const causeOf = (error: unknown): string => {
  const { cause, message } = Object(error) as { cause?: unknown; message?: unknown }
  const { code } = Object(cause) as { code?: unknown }
  return typeof code === 'string' ? code : String(message ?? error)
}

/**
 * Finds the published key of a token, for `jwtVerify`. It fetches the keys in three cases: there are none
 * yet, they are old, or a token names one that is not among them. Calls at the same time share one fetch.
 * While the address is away the known keys stay in use.
 *
 * Rejects with KeysUnreachable, with JWKSNoMatchingKey, or with JWKSMultipleMatchingKeys for a token that
 * names no key.
 */
export const createKeys = ({ url, fetch, now }: KeysOptions): JWTVerifyGetKey => {
  // With the two infinite times jose fetches nothing by itself. Its own times would stop the verification
  // with known keys while the address is away, and would allow a fetch for each unknown key then (D92).
  const known = createRemoteJWKSet(new URL(url), {
    timeoutDuration: TIMEOUT_MS,
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
    [customFetch]: async (address, init) => {
      // Frameworks that replace `fetch` may keep what a GET has answered.
      const response = await fetch(address, { ...init, cache: 'no-store' })
      if (response.status === 200) return response
      await response.body?.cancel()
      throw new Error(`HTTP status ${response.status}`)
    },
  })
  let loading: Promise<void> | undefined
  let loadedAt: number | undefined
  let triedAt = Number.NEGATIVE_INFINITY
  /** How the last fetch failed; undefined after one that did not. */
  let failure: KeysUnreachable | undefined

  const fetchKeys = async (): Promise<void> => {
    const began = now()
    try {
      await known.reload()
      loadedAt = began
      failure = undefined
    } catch (error) {
      failure = new KeysUnreachable(causeOf(error), { cause: error })
    }
    triedAt = now()
  }

  /** Fetches the keys, unless that was done a moment ago. Never rejects: see `failure`. */
  const load = async (): Promise<void> => {
    if (!loading && now() - triedAt < PAUSE_MS) return
    loading ??= fetchKeys().finally(() => {
      loading = undefined
    })
    await loading
  }

  const freshen = async (): Promise<void> => {
    if (loadedAt !== undefined && now() - loadedAt < FRESH_MS) return
    // Whoever has a known key does not wait for an address that did not answer the last time.
    const waits = loadedAt === undefined || !failure
    const loaded = load()
    if (waits) await loaded
    if (loadedAt === undefined && failure) throw failure
  }

  return async (header, token) => {
    await freshen()
    try {
      return await known(header, token)
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) throw error
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw new KeysUnreachable(causeOf(error), { cause: error })
      await load()
      // Nobody can tell now whether the key is a new one.
      if (failure) throw failure
      return known(header, token)
    }
  }
}
