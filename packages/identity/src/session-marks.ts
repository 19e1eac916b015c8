import type { RedisClients } from '@saoma/redis'
import { ended, ending } from './scripts.ts'

/**
 * The text that replaces a session's entry on its person's list. `''`: the session is being ended; a reader
 * of this mark completes the end. `ended:` and a time (ms): the session is over. Until that time a client may
 * repeat the login that began the session, because Redis refused it half-way or two requests raced. The mark
 * prevents that repeat from beginning the session again.
 */
export interface SessionMarks {
  /** Marks listed sessions as being ended. Resolves with those that were marked before. */
  begin(sub: string, sids: readonly string[]): Promise<string[]>
  /**
   * Marks sessions as over. Resolves with those that this call ended; of concurrent calls the first one
   * counts.
   */
  finish(sub: string, sids: readonly string[]): Promise<string[]>
  /** How long a client may repeat a login, and how long a session may be beginning. */
  readonly keepMs: number
}

/** Margin for running requests and for the clocks of two nodes. */
const SLACK_MS = 60_000
const OVER = /^ended:(\d+)$/

/**
 * An entry is a JSON object. Unreadable text counts as "being ended": a session that its owner cannot see
 * must not live.
 */
export const isMark = (text: string): boolean => !text.startsWith('{')
/** The time until which an ended session stays on the list; undefined for other entries. */
export const overUntil = (text: string): number | undefined => {
  const [, ms] = OVER.exec(text) ?? []
  return ms === undefined ? undefined : Number(ms)
}

/** @param redeemMs  how long a confirmed login can be redeemed */
export const createSessionMarks = (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  redeemMs: number,
): SessionMarks => {
  const keepMs = redeemMs + SLACK_MS
  return {
    begin: (sub, sids) => ending(data, [keys.sessions(sub)], sids),
    finish: (sub, sids) => ended(data, [keys.sessions(sub)], [keepMs, ...sids]),
    keepMs,
  }
}
