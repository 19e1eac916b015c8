import { isTerminal, type TicketState } from '@saoma/protocol'
import { backoffMs } from '../core/backoff.ts'
import type { Transports } from '../core/connection.ts'
import type { Page } from '../core/page.ts'
import type { Failure } from '../core/request.ts'
import type { LoginApi } from './login-api.ts'
import { isNews, type LoginConnection } from './login-state.ts'
import { createLongPoll } from './long-poll.ts'
import { createSocketWatch } from './socket-watch.ts'

export interface FollowOptions {
  origin: string
  deviceCode: string
  api: LoginApi
  page: Page
  transports: Transports
  random: () => number
  /** Called with every state once, in order. */
  onState: (state: TicketState) => void
  onConnection: (connection: LoginConnection) => void
  /** The ticket can no longer be followed. */
  onRefused: (failure: Failure) => void
}

export interface Follow {
  close(): void
}

/** How long the socket may be away before the long poll takes over. */
const SOCKET_PATIENCE_MS = 2_500
/** The wire has whole seconds: read a little after the deadline, not a little before. */
const DEADLINE_GRACE_MS = 400
const DEADLINE_RETRY = { baseMs: 1_000, capMs: 10_000 }

/**
 * Keeps the true state of one ticket: by socket if possible, by long poll while the socket is away, and by
 * one read at the deadline in case both missed it. It stops when the ticket is in a terminal state.
 */
export const createFollow = (options: FollowOptions): Follow => {
  const closing = new AbortController()
  let last: TicketState | undefined
  let watching = false
  let reachable = false
  let everConnected = false
  let connection: LoginConnection = 'connecting'
  let deadline: ReturnType<typeof setTimeout> | undefined
  let patience: ReturnType<typeof setTimeout> | undefined

  const report = () => {
    const next = !options.page.online
      ? 'offline'
      : watching
        ? 'socket'
        : poll.running && reachable
          ? 'poll'
          : everConnected
            ? 'reconnecting'
            : 'connecting'
    everConnected ||= next === 'socket' || next === 'poll'
    if (next === connection || closing.signal.aborted) return
    connection = next
    options.onConnection(next)
  }

  const close = () => {
    closing.abort()
    clearTimeout(deadline)
    clearTimeout(patience)
    poll.stop()
    socket.close()
    unlisten()
  }

  const refused = (failure: Failure) => {
    if (closing.signal.aborted) return
    close()
    options.onRefused(failure)
  }

  const readAtDeadline = (ms: number, attempt: number) => {
    clearTimeout(deadline)
    deadline = setTimeout(async () => {
      const answer = await options.api.read(options.deviceCode, 0, 0, closing.signal)
      if (closing.signal.aborted) return
      if (answer.ok) return take(answer.value)
      if (answer.react !== 'retry') return refused(answer)
      readAtDeadline(backoffMs(attempt, DEADLINE_RETRY, options.random), attempt + 1)
    }, ms)
  }

  const take = (state: TicketState) => {
    if (closing.signal.aborted) return
    if (!isTerminal(state.status)) readAtDeadline(state.expiresIn * 1_000 + DEADLINE_GRACE_MS, 0)
    if (!isNews(last, state)) return
    last = state
    if (isTerminal(state.status)) close()
    options.onState(state)
  }

  const waitForSocket = () => {
    clearTimeout(patience)
    patience = setTimeout(() => {
      reachable = false
      poll.start()
    }, SOCKET_PATIENCE_MS)
  }

  const poll = createLongPoll({
    api: options.api,
    deviceCode: options.deviceCode,
    random: options.random,
    version: () => last?.version ?? 0,
    onState: take,
    onReachable: (now) => {
      reachable = now
      report()
    },
    onRefused: refused,
  })

  const socket = createSocketWatch({
    origin: options.origin,
    deviceCode: options.deviceCode,
    transports: options.transports,
    random: options.random,
    onState: take,
    onWatching: (now) => {
      if (now) {
        clearTimeout(patience)
        poll.stop()
      } else if (watching) {
        waitForSocket()
      }
      watching = now
      report()
    },
    onRefused: refused,
  })

  const unlisten = options.page.onChange(() => {
    report()
    if (!options.page.online || options.page.hidden) return
    socket.wake()
    poll.wake()
  })

  if (options.transports.length === 0) poll.start()
  else waitForSocket()
  report()

  return { close }
}
