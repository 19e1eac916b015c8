/**
 * ok: looked at and fine. warning: works, but read it. error: something does not work or is unsafe. skipped:
 * could not look.
 */
export type Level = 'ok' | 'warning' | 'error' | 'skipped'

export interface Finding {
  /**
   * Stable, of a-z, 0-9 and -, e.g. `redis-eviction`. Also the anchor of its section in
   * docs/troubleshooting.md.
   */
  code: string
  level: Level
  /** One sentence: what is. */
  says: string
  /** One sentence: what to do. Absent where level is ok. */
  todo?: string
}
