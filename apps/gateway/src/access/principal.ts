import type { KeyProof } from '@saoma/identity'
import type { Result } from '@saoma/protocol'
import type { ChannelAct, Scope } from './scopes.ts'

/** The authenticated caller, on any door: a person, or a backend with an API key. */
export type Principal = Person | Backend

export interface Person {
  kind: 'person'
  /** Who issued the token. Saoma can check whether a session still exists only if it issued the token. */
  issuer: 'saoma' | 'business'
  /** Id of the account: `sub` in Saoma's tokens, `uid` in the answer of the business. */
  user: string
  /** The session the token belongs to, if it names one. */
  sid?: string
  /** When the token expires, in milliseconds since 1970. */
  expiresAt: number
  /**
   * The last session end that is not held against this person. For a business's tokens it was known when the
   * token was resolved. For Saoma's own it was read when the revocation watch began. See `Channels.lastEnd`.
   */
  lastEnd?: string
  /** Patterns of the rooms of which the token makes this person a member. */
  rooms: readonly string[]
}

export interface Backend {
  kind: 'backend'
  /** Tells the key from another one of its name, before it or after it. */
  id?: string
  /** Name of the API key. */
  name: string
  /** Patterns of the channels that it may use. */
  channels: readonly string[]
  /** What it may do in these channels. */
  may: readonly ChannelAct[]
  /** What it may do beside channels. */
  scopes: readonly Scope[]
  /** In milliseconds since 1970. Infinity for a key that does not expire, as those of the file. */
  expiresAt: number
}

/**
 * Resolves a bearer token to its principal. Fails with UNAUTHORIZED, TOKEN_EXPIRED, REVOKED or
 * BACKEND_UNAVAILABLE. `from` is the client's address. It scopes the limits, so that an address that sends
 * many wrong tokens delays no other. Callers without an address share one scope. `proof` is that of the
 * token's key, if it came with one (RFC 9449).
 */
export type Authenticate = (token: string, from?: string, proof?: KeyProof) => Promise<Result<Principal>>

/**
 * Checks a connected principal again: REVOKED when the session has ended or the API key was removed, and
 * TOKEN_EXPIRED when that has expired.
 */
export type StillValid = (who: Principal) => Promise<Result<true>>

/**
 * Whether a principal may perform an act in a channel. People see the presence of what they follow. Fails
 * with FORBIDDEN or BACKEND_UNAVAILABLE.
 */
export type Policy = (who: Principal, act: ChannelAct, channel: string) => Promise<Result<true>>

/** The syntax of patterns: the name of a channel, or the beginning of a name and a star. */
export const patternSyntax: RegExp = /^(?:user|room):(?:[A-Za-z0-9_.:@~-]{1,128}|[A-Za-z0-9_.:@~-]{0,128}\*)$/

/** Whether a channel matches a pattern: a full name, or a prefix and a star, such as `room:table-*`. */
export const matches = (pattern: string, channel: string): boolean =>
  pattern.endsWith('*') ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern
