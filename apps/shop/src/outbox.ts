import type { Outgoing, Publisher } from '@saoma/client/server'
import { backoffMs } from '@saoma/protocol'
import type { Logger } from 'pino'
import type { Database } from './database.ts'

/**
 * A transactional outbox: messages on their way to Saoma. A message is written in the same transaction as its
 * change, and published afterwards, with retries. So the shop announces no change that did not happen, and
 * every change that did, even after a crash. The idempotency key removes duplicates.
 */
export interface Outbox {
  /** @param due  earliest time of publication, in milliseconds since 1970. @default now */
  add(message: Outgoing, due?: number): void
  /** Number of waiting messages of a channel. */
  waiting(channel: string): number
  /** Stops publishing. Waiting messages are published after the next start. */
  close(): void
}

const BATCH = 100
const RETRY = { baseMs: 500, capMs: 10_000 }
/** The maximum of a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const createOutbox = (database: Database, publisher: Publisher, log: Logger): Outbox => {
  const insert = database.prepare('INSERT INTO outbox (channel, due, message) VALUES (?, ?, ?)')
  const count = database.prepare('SELECT count(*) AS n FROM outbox WHERE channel = ?')
  const due = database.prepare('SELECT id, message FROM outbox WHERE due <= ? ORDER BY due, id LIMIT ?')
  const next = database.prepare('SELECT min(due) AS due FROM outbox')
  const remove = database.prepare('DELETE FROM outbox WHERE id = ?')

  let timer: NodeJS.Timeout | undefined
  let publishing = false
  let failures = 0
  let closed = false

  /**
   * Publishes due messages. A number: some of them failed, and a retry must wait at least so many
   * milliseconds.
   */
  const publishDue = async (): Promise<number | undefined> => {
    for (;;) {
      const rows = due.all(Date.now(), BATCH)
      if (rows.length === 0) return undefined
      const batch: Outgoing[] = rows.map((row) => JSON.parse(String(row.message)))
      const answers = await publisher.publish(batch)
      // The database may be closed too.
      if (closed) return undefined
      let again: number | undefined
      for (const [i, row] of rows.entries()) {
        const answer = answers[i]
        if (answer?.ok) {
          remove.run(Number(row.id))
        } else if (answer?.react === 'stop') {
          log.error({ event: 'publish', channel: batch[i]?.channel, code: answer.code }, 'refused for good')
          remove.run(Number(row.id))
        } else {
          again = Math.max(again ?? 0, answer?.retryAfterMs ?? 0)
          log.warn({ event: 'publish', channel: batch[i]?.channel, code: answer?.code }, 'not taken yet')
        }
      }
      if (again !== undefined) return again
    }
  }

  const wake = (ms: number) => {
    clearTimeout(timer)
    if (!closed) timer = setTimeout(run, Math.min(ms, LONGEST_TIMER_MS))
  }

  const run = () => {
    // The running call reads again before it ends.
    if (publishing) return
    publishing = true
    void publishDue()
      .catch((error: unknown) => {
        log.error({ err: error }, 'publishing failed')
        return 0
      })
      .then((again) => {
        publishing = false
        if (closed) return
        failures = again === undefined ? 0 : failures + 1
        if (again !== undefined) return wake(Math.max(again, backoffMs(failures, RETRY)))
        const first = next.get()?.due
        if (typeof first === 'number') wake(Math.max(0, first - Date.now()))
      })
  }

  wake(0)
  return {
    add: (message, at = Date.now()) => {
      insert.run(message.channel, at, JSON.stringify(message))
      // The timer fires after the current transaction. During an outage of Saoma the back-off goes on.
      if (failures === 0) wake(0)
    },
    waiting: (channel) => Number(count.get(channel)?.n),
    close: () => {
      closed = true
      clearTimeout(timer)
    },
  }
}
