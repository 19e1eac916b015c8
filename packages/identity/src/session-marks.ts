import { randomBytes } from 'node:crypto'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { endAll, ended, ending } from './scripts.ts'

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
   * Marks all sessions but `keep` as being ended, and refuses every login that was scanned before. Resolves
   * with the sessions that were marked before, and with those that this call marked.
   */
  beginAll(sub: string, keep?: string): Promise<{ before: string[]; now: string[] }>
  /**
   * Names the last end of all sessions of a person, for a login that is scanned now; empty if there was none
   * lately.
   */
  lastEnd(sub: string): Promise<string>
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

/**
 * @param redeemMs  how long a confirmed login can be redeemed
 * @param confirmMs  how long a scanned login can be confirmed
 */
export const createSessionMarks = (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  redeemMs: number,
  confirmMs = redeemMs,
): SessionMarks => {
  const keepMs = redeemMs + SLACK_MS
  const endMs = confirmMs + keepMs
  return {
    begin: (sub, sids) => ending(data, [keys.sessions(sub)], sids),
    beginAll: (sub, keep = '') =>
      endAll(data, [keys.sessions(sub), keys.sessionsEnd(sub)], [randomBytes(9).toString('base64url'), endMs, keep]),
    lastEnd: async (sub) => (await orUnavailable(data.get(keys.sessionsEnd(sub)))) ?? '',
    finish: (sub, sids) => ended(data, [keys.sessions(sub)], [keepMs, ...sids]),
    keepMs,
  }
}
