import { backoffMs } from '@saoma/protocol'
import { errors, type JWTVerifyGetKey } from 'jose'
import type { Logger } from '../operate/log.ts'
import { type KeySet, readKeySet, type SignatureAlgorithm } from './key-set.ts'
import { type KeySource, type ReadSource, readSource } from './key-source.ts'

/** Nobody can say now whether a token's key is one of the business. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

export interface BusinessKeysOptions {
  /** How the keys are read. @default readSource */
  read?: (source: KeySource, signal: AbortSignal) => Promise<ReadSource>
  /** The clock of the pauses, in milliseconds. @default performance.now */
  now?: () => number
  /** The clock that tokens are compared with, in milliseconds since 1970. @default Date.now */
  date?: () => number
  /** What lines of the log say of the keys. @default the setting SAOMA_AUTH_JWKS */
  about?: Readonly<Record<string, string>>
}

/** The public keys of the business. They are read at the start and then in the background. */
export interface BusinessKeys {
  /**
   * Finds the key of a token, for `jwtVerify`. A known key is found at once, also while its source is away.
   * Rejects with KeysUnavailable if the source has to be read and cannot be, or cannot be read again yet;
   * with JWKSNoMatchingKey if the source does not have the key.
   *
   * @param issuedAt  when the token says it was issued, in seconds since 1970
   */
  of(issuedAt: number | undefined): JWTVerifyGetKey
  /** Changes with the keys. */
  readonly version: number
  close(): void
}

/** How old keys may get before they are read again: an address, a file. */
const REFRESH_MS = { url: 300_000, file: 5_000 }
/**
 * Nothing is read again for this long after a read. The pause doubles with each further read that failed or
 * brought nothing new, because anyone can write a token with an unknown key.
 */
const PAUSE = { baseMs: 2_000, capMs: 30_000, least: 1 }
/** At most one log line about failures in this time. */
const QUIET_MS = 10_000
/** A token may have been issued so much later than it says: the clock of the business may be late. */
export const LEEWAY_SECONDS = 10

export const createBusinessKeys = (
  source: KeySource,
  algorithms: readonly SignatureAlgorithm[],
  log: Logger,
  {
    read = readSource,
    now = () => performance.now(),
    date = Date.now,
    about = { setting: 'SAOMA_AUTH_JWKS' },
  }: BusinessKeysOptions = {},
): BusinessKeys => {
  const closing = new AbortController()
  let known: KeySet | undefined
  let version = 0
  /** When the last good read began, by both clocks. Keys that were published by then are known. */
  let asOf = { ms: Number.NEGATIVE_INFINITY, date: Number.NEGATIVE_INFINITY }
  let failed = false
  let quietUntil = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let pausedUntil = Number.NEGATIVE_INFINITY
  /** Reads in a row that brought nothing new. */
  let vain = 0
  let loading: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const take = (fresh: KeySet): boolean => {
    if (fresh.text === known?.text) return false
    known = fresh
    version++
    log.info(
      { event: 'business', ...about, keys: fresh.size, unused: fresh.unused },
      'the keys of the business are read',
    )
    return true
  }

  const fail = (reason: string): void => {
    failed = true
    if (now() < quietUntil) return
    quietUntil = now() + QUIET_MS
    log.warn(
      { event: 'business', ...about, reason, known: known?.size ?? 0 },
      known
        ? 'the keys of the business cannot be read: those that are known stay in use'
        : 'the keys of the business cannot be read: its tokens cannot be verified',
    )
  }

  const readKeys = async (): Promise<void> => {
    const began = { ms: now(), date: date() }
    // What happened long ago says nothing about strangers of now.
    if (began.ms - triedAt > 2 * PAUSE.capMs) vain = 0
    const text = await read(source, closing.signal)
    const set = text.ok ? await readKeySet(text.text, algorithms) : text
    if (closing.signal.aborted) return
    let isNew = false
    if (set.ok) {
      isNew = take(set.value)
      failed = false
      asOf = began
    } else fail(set.why)
    vain = isNew ? 0 : vain + 1
    triedAt = now()
    pausedUntil = triedAt + backoffMs(Math.max(0, vain - 1), PAUSE)
    const refreshMs = 'url' in source ? REFRESH_MS.url : REFRESH_MS.file
    const nextMs = set.ok ? refreshMs : pausedUntil - triedAt
    clearTimeout(timer)
    // Nodes that started together need not ask together.
    timer = setTimeout(() => void begin(), nextMs * (0.8 + 0.2 * Math.random())).unref()
  }

  const begin = (): Promise<void> => {
    loading ??= readKeys().finally(() => {
      loading = undefined
    })
    return loading
  }
  /** Reads the keys, unless that was done a moment ago. Never rejects: see `failed`. */
  const load = async (): Promise<void> => {
    if (loading || now() >= pausedUntil) await begin()
  }
  void begin()

  const of =
    (issuedAt: number | undefined): JWTVerifyGetKey =>
    async (header, token) => {
      if (!known) await load()
      if (!known) throw new KeysUnavailable()
      try {
        return await known.find(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        const came = now()
        await load()
        const found = await known.find(header, token).catch((late: unknown) => {
          if (late instanceof errors.JWKSNoMatchingKey) return undefined
          throw late
        })
        if (found) return found
        // A key is published before it signs. So it is no key of the business if it is missing in a read that
        // began after the token was issued, or after it came here.
        const isOlder = issuedAt !== undefined && (issuedAt + LEEWAY_SECONDS) * 1000 <= asOf.date
        if (asOf.ms >= came || (isOlder && !failed)) throw error
        throw new KeysUnavailable()
      }
    }

  return {
    of,
    get version() {
      return version
    },
    close: () => {
      clearTimeout(timer)
      closing.abort()
    },
  }
}
