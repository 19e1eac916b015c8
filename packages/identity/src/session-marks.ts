import type { RedisClients } from '@saoma/redis'
import { ended, ending } from './scripts.ts'

/**
 * What stands in place of a session's entry on its person's list: `''` while it is being ended, and whoever
 * reads this sees to it that it is; `ended:` and a moment (ms) when it is over. Until that moment the login
 * that began it may be asked for again, because Redis refused it half-way or two asked at once, and must not
 * begin it anew.
 */
export interface SessionMarks {
  /** Marks those that are on the list as being ended. Resolves with those that were so before. */
  begin(sub: string, sids: readonly string[]): Promise<string[]>
  /** They are over. Resolves with those that this call ended: of several calls the first one. */
  finish(sub: string, sids: readonly string[]): Promise<string[]>
  /** For how long a login may be asked for again, and a session may be beginning. */
  readonly keepMs: number
}

/** For requests under way, and for the clocks of two nodes. */
const SLACK_MS = 60_000
const OVER = /^ended:(\d+)$/

/**
 * An entry is an object's text. What nobody can read counts as being ended: what cannot be shown to its owner
 * must not live.
 */
export const isMark = (text: string): boolean => !text.startsWith('{')
/** The moment until which a session that is over stays on the list; undefined for any other. */
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
