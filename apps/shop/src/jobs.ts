import { randomBytes } from 'node:crypto'
import type { Database } from './database.ts'
import type { Outbox } from './outbox.ts'

/** The courier's offer. `price` is in fen. */
export interface Quote {
  number: string
  price: number
  days: number
}

export interface Job {
  id: string
  city: string
  status: 'running' | 'done' | 'failed'
  quote?: Quote
}

/** Slow jobs that another company does for the shop. Only the owner may see a job. */
export interface Jobs {
  /**
   * A repeated request of a person begins no second job. Undefined if the person has too many running jobs.
   */
  begin(user: string, request: string, city: string): Job | undefined
  /** Undefined if the job does not exist or belongs to another person. */
  find(user: string, id: string): Job | undefined
  isOf(user: string, id: string): boolean
  /**
   * Ends a job, with or without a quote, and notifies its page. Ending it again changes nothing. False if
   * there is no such job.
   */
  finish(id: string, quote: Quote | undefined): boolean
  /** Jobs that have not ended. */
  running(): Job[]
}

const MOST_RUNNING = 10
const KEPT_MS = 24 * 60 * 60 * 1_000
/** 128 random bits. Nobody can guess the room of another person's job, and the hook would refuse access. */
const ID_BYTES = 16

const PREFIX = 'room:job-'
/** The job of this room; undefined for any other channel. */
export const jobOf = (channel: string): string | undefined =>
  channel.startsWith(PREFIX) ? channel.slice(PREFIX.length) : undefined

export const createJobs = (database: Database, outbox: Outbox): Jobs => {
  const insert = database.prepare('INSERT INTO jobs (id, person, request, city, started) VALUES (?, ?, ?, ?, ?)')
  const select = database.prepare('SELECT id, person, city, outcome FROM jobs WHERE id = ?')
  const repeated = database.prepare('SELECT id, city, outcome FROM jobs WHERE person = ? AND request = ?')
  const count = database.prepare('SELECT count(*) AS n FROM jobs WHERE person = ? AND outcome IS NULL')
  const unfinished = database.prepare('SELECT id, city, outcome FROM jobs WHERE outcome IS NULL')
  const end = database.prepare('UPDATE jobs SET outcome = ? WHERE id = ? AND outcome IS NULL')
  const forget = database.prepare('DELETE FROM jobs WHERE started < ?')

  const jobFrom = (row: Record<string, unknown>): Job => {
    const job = { id: String(row.id), city: String(row.city) }
    if (row.outcome === null) return { ...job, status: 'running' }
    const { quote }: { quote?: Quote } = JSON.parse(String(row.outcome))
    return quote ? { ...job, status: 'done', quote } : { ...job, status: 'failed' }
  }

  return {
    begin: (user, request, city) =>
      database.transaction(() => {
        const row = repeated.get(user, request)
        if (row) return jobFrom(row)
        if (Number(count.get(user)?.n) >= MOST_RUNNING) return undefined
        forget.run(Date.now() - KEPT_MS)
        const id = randomBytes(ID_BYTES).toString('base64url')
        insert.run(id, user, request, city, Date.now())
        return { id, city, status: 'running' }
      }),
    find: (user, id) => {
      const row = select.get(id)
      return row && row.person === user ? jobFrom(row) : undefined
    },
    isOf: (user, id) => select.get(id)?.person === user,
    finish: (id, quote) =>
      database.transaction(() => {
        const { changes } = end.run(JSON.stringify(quote ? { quote } : {}), id)
        if (changes === 0) return select.get(id) !== undefined
        outbox.add({
          channel: `${PREFIX}${id}`,
          event: 'finished',
          data: quote ? { quote } : {},
          idempotencyKey: `job-${id}`,
        })
        return true
      }),
    running: () => unfinished.all().map(jobFrom),
  }
}
