import { every } from '@saoma/redis'
import type { Note } from './entry.ts'

/** Counts refusals, so that an attack is some lines a minute and not one for each request. */
export interface Refusals {
  /** @param code  why it was refused: one of few words */
  count(code: string): void
  /** Notes a refusal of somebody who is known, once in a minute for each person and code. Counts nothing. */
  of(note: Note): void
  close(): void
}

const MINUTE_MS = 60_000
/** Codes are few; this bounds what a mistake could cost. */
const MOST_CODES = 200
/** Refusals of people that are lines in one minute, on one node. */
const MOST_LINES = 100

export const createRefusals = (note: (note: Note) => void, minuteMs: number = MINUTE_MS): Refusals => {
  let counts = new Map<string, number>()
  let lines = new Set<string>()

  const count = (code: string): void => {
    const name = counts.size < MOST_CODES || counts.has(code) ? code : 'other'
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const tell = (): void => {
    const minute = counts
    counts = new Map()
    lines = new Set()
    for (const [reason, times] of minute) note({ kind: 'refusals', reason, count: times })
  }
  const stop = every(minuteMs, tell)

  return {
    count,
    of: (refused) => {
      const name = `${refused.person} ${refused.kind} ${refused.reason}`
      if (lines.has(name) || lines.size >= MOST_LINES) return
      lines.add(name)
      note(refused)
    },
    close: () => {
      stop()
      tell()
    },
  }
}
