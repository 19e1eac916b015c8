import type { Result } from '@saoma/protocol'

/** Who speaks, on whatever door: a person, or a backend with an API key. */
export type Principal = Person | Backend

export interface Person {
  kind: 'person'
  /** Whose token it was. Only Saoma can be asked whether a session of its own is still there. */
  issuer: 'saoma' | 'business'
  /** Id of the account: `sub` of Saoma's tokens, `uid` of the business's own. */
  user: string
  /** The session the token belongs to, if it names one. */
  sid?: string
  /** Milliseconds since 1970: when the token ends. */
  expiresAt: number
  /**
   * The last end of this person's sessions that does not count against them, because it was known when the
   * token was judged (of a business's tokens) or when somebody began to watch over them (of Saoma's own): see
   * `Channels.lastEnd`.
   */
  lastEnd?: string
  /** Rooms that the token makes this person a member of, as patterns. */
  rooms: readonly string[]
}

export interface Backend {
  kind: 'backend'
  /** Name of the API key. */
  name: string
  /** Channels it may act on, as patterns. */
  channels: readonly string[]
  /** API keys have no end of their own: they are taken away. */
  expiresAt: number
}

/**
 * Turns a bearer token into who it stands for: UNAUTHORIZED, TOKEN_EXPIRED, REVOKED, BACKEND_UNAVAILABLE.
 * `from` is the address it came from, so that one that sends many wrong ones keeps nobody else waiting; those
 * without an address wait for each other.
 */
export type Authenticate = (token: string, from?: string) => Promise<Result<Principal>>

/**
 * Asks again, for those who stay: REVOKED when the session has ended or the API key was taken away.
 */
export type StillValid = (who: Principal) => Promise<Result<true>>

/** Whether somebody may do something in a channel: FORBIDDEN, BACKEND_UNAVAILABLE. */
export type Policy = (who: Principal, action: 'follow' | 'publish', channel: string) => Promise<Result<true>>

/** How patterns are written: a channel's name, or the beginning of one and a star. */
export const patternSyntax: RegExp = /^(?:user|room):(?:[A-Za-z0-9_.:@~-]{1,128}|[A-Za-z0-9_.:@~-]{0,128}\*)$/

/** Whether a channel fits a pattern: its name, or the beginning of it and a star, such as `room:table-*`. */
export const matches = (pattern: string, channel: string): boolean =>
  pattern.endsWith('*') ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern
