import type { Command, Redis } from 'ioredis'
import { wrapSend } from './send.ts'

/** A pause of this process, however long, uses up one of these parts of the time. */
const PARTS = 6
/** Answered commands that are kept at most before the list is shortened. */
const MOST_ANSWERED = 1_024

/**
 * Calls `over` after a time in which this process could run. After a pause of the process (garbage
 * collection, a busy or suspended machine) due timers fire before sockets are read. An ordinary timer would
 * then give up waiting for a reply that has already arrived. Returns a function that stops the wait.
 */
export const awaitOver = (ms: number, over: () => void): (() => void) => {
  let parts = PARTS
  const timer = setInterval(() => {
    if (--parts > 0) return
    clearInterval(timer)
    over()
  }, ms / PARTS).unref()
  return () => clearInterval(timer)
}

/**
 * Rejects commands that get no reply within `commandTimeout` of the connection's options, in place of
 * ioredis: at the earliest after six sevenths of it. ioredis starts one timer per command, with the flaw of
 * ordinary timers; see `awaitOver`. Here one timer per connection looks at the oldest commands, and it runs
 * only while commands wait. A `duplicate` of the connection has no such bound unless it gets one, too.
 */
export const rejectOverdue = (server: Redis): void => {
  const { commandTimeout } = server.options
  if (commandTimeout === undefined) return
  server.options.commandTimeout = undefined
  /** Commands in the order in which they were sent, which is the order of their replies. */
  const sent: Command[] = []
  /** How many of them have their reply; they are at the start of the list. */
  let answered = 0
  /** How many commands have left the list. */
  let gone = 0
  /** How many commands had been sent at each of the last ticks. */
  const totals: number[] = []
  let timer: NodeJS.Timeout | undefined

  const dropAnswered = (): void => {
    while (sent[answered]?.isSettled) answered++
    if (answered === 0 || (answered < sent.length && answered < MOST_ANSWERED)) return
    gone += sent.splice(0, answered).length
    answered = 0
  }
  const tick = (): void => {
    dropAnswered()
    if (sent.length === 0) {
      clearInterval(timer)
      timer = undefined
      totals.length = 0
      return
    }
    if (totals.push(gone + sent.length) <= PARTS) return
    const overdue = sent.slice(answered, Math.max((totals.shift() ?? 0) - gone, 0))
    for (const command of overdue) if (!command.isSettled) command.reject(new Error('Command timed out'))
  }
  wrapSend(server, (send) => (command, ...others) => {
    dropAnswered()
    sent.push(command)
    // A command has waited for up to one part when the tick comes that counts it.
    timer ??= setInterval(tick, commandTimeout / (PARTS + 1)).unref()
    return send(command, ...others)
  })
}
