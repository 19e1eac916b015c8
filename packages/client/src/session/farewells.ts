import { HASHED_TOKEN } from '@saoma/protocol'
import { type BackoffOptions, backoffMs, pause } from '../core/backoff.ts'
import { base64url } from '../core/base64url.ts'
import type { Answer } from '../core/request.ts'
import type { createStored } from '../core/storage.ts'

/** A logout that the server has not confirmed yet. */
interface Farewell {
  /**
   * Ends the session on the server: a hash of the refresh token, or the token itself, which is never stored.
   */
  token: string
  /** Milliseconds since 1970 at which the session expires by itself. */
  until: number
}

/** A logout of this page. It has the token itself, which every server version accepts. */
interface OwnFarewell extends Farewell {
  /** The stored hash for it. */
  hash: string | undefined
}

export interface FarewellsOptions {
  stored: ReturnType<typeof createStored>
  tell: (token: string) => Promise<Answer<unknown>>
  random: () => number
  signal: AbortSignal
}

export interface Farewells {
  /** Stores a logout. `done` removes it, `later` sends it again in the background. */
  begin(refreshToken: string): { done(): void; later(): void }
  /** Continues with logouts of earlier pages. */
  resume(): void
}

/** Lifetime of an unused refresh token. */
const KEEP_MS = 14 * 86_400_000
/** More logouts than one browser has while its network is away. */
const MOST = 10
const BACKOFF: BackoffOptions = { baseMs: 1_000, capMs: 60_000 }

/** Undefined where the function is missing, for example on a page without TLS. */
const hashOf = async (token: string): Promise<string | undefined> => {
  const subtle = (globalThis.crypto as Crypto | undefined)?.subtle
  if (!subtle) return undefined
  return HASHED_TOKEN + base64url(await subtle.digest('SHA-256', new TextEncoder().encode(token)))
}

const isFarewell = (value: unknown): value is Farewell => {
  const { token, until } = (value ?? {}) as Partial<Farewell>
  return typeof token === 'string' && token.startsWith(HASHED_TOKEN) && typeof until === 'number' && until > Date.now()
}

/**
 * Sends logouts until the server has confirmed them: with back-off, also after a reload, until the session
 * would have expired. This page sends the token itself, which every server version accepts. For the next page
 * it stores only a hash: it can end that session and do nothing else, so it may be stored after a logout.
 * Where the browser cannot hash, nothing is stored, and the retries end with the page.
 */
export const createFarewells = ({ stored, tell, random, signal }: FarewellsOptions): Farewells => {
  const own = new Map<string, OwnFarewell>()
  let telling = false

  const kept = (): Farewell[] => {
    const value = stored.read()
    return Array.isArray(value) ? value.filter(isFarewell) : []
  }
  const keep = (farewells: readonly Farewell[]) => {
    if (farewells.length > 0) stored.write(farewells.slice(-MOST))
    else stored.clear()
  }
  const forget = (token: string) => {
    const before = kept()
    const after = before.filter((farewell) => farewell.token !== token)
    if (after.length < before.length) keep(after)
  }
  const due = (): (Farewell | OwnFarewell)[] => {
    const mine = [...own.values()].filter(({ until }) => until > Date.now())
    const hashes = new Set(mine.map(({ hash }) => hash))
    return [...mine, ...kept().filter(({ token }) => !hashes.has(token))]
  }

  const tellAll = async () => {
    if (telling) return
    telling = true
    for (let attempt = 0; !signal.aborted; attempt++) {
      let askedMs = 0
      for (const farewell of due()) {
        const { token } = farewell
        const answer = await tell(token)
        if (answer.ok || answer.react !== 'retry') {
          own.delete(token)
          forget(('hash' in farewell && farewell.hash) || token)
        } else askedMs = Math.max(askedMs, answer.retryAfterMs ?? 0)
      }
      if (due().length === 0) break
      await pause(Math.max(askedMs, backoffMs(attempt, BACKOFF, random)), signal)
    }
    telling = false
  }

  return {
    begin: (refreshToken) => {
      const until = Date.now() + KEEP_MS
      let isDone = false
      const hashed = hashOf(refreshToken)
        .catch(() => undefined)
        .then((hash) => {
          if (hash && !isDone) keep([...kept(), { token: hash, until }])
          return hash
        })
      return {
        done: () => {
          isDone = true
          void hashed.then((hash) => hash && forget(hash))
        },
        later: () => {
          void hashed.then((hash) => {
            // In memory, too: the storage may be full or forbidden.
            own.set(refreshToken, { token: refreshToken, hash, until })
            return tellAll()
          })
        },
      }
    },
    resume: () => {
      if (kept().length > 0) void tellAll()
    },
  }
}
