import { LONGEST_HOLD_SECONDS, type LossReason, type Page, parseSubscribed } from '@saoma/protocol'
import { backoffMs, pause } from '../core/backoff.ts'
import { boundBy } from '../core/bound.ts'
import { now } from '../core/clock.ts'
import type { Failure } from '../core/request.ts'
import { firstPage } from './catch-up.ts'
import { isOwn } from './channel-name.ts'
import { createDispatch } from './dispatch.ts'
import { cursorOf, type LiveApi } from './live-api.ts'
import type { Followed } from './room.ts'

export type HttpWay = 'stream' | 'poll'

export interface HttpFollowOptions {
  api: LiveApi
  /** At most `MOST_CHANNELS`, the limit of one request. */
  rooms: readonly Followed[]
  /** In the order of preference. */
  ways: readonly HttpWay[]
  random: () => number
  signal: AbortSignal
  /** The way by which messages arrive now; undefined if there is none. */
  onWay: (way: HttpWay | undefined) => void
  onFailure: (failure: Failure) => void
}

const RETRY = { baseMs: 500, capMs: 10_000 }
/** A server may not postpone a retry for longer. */
const MAX_RETRY_AFTER_MS = 60_000
/**
 * If an answer without news comes sooner, it was not held: a cache or a full server is in the way. Then back
 * off instead of spinning.
 */
const HELD_AT_LEAST_MS = 1_000
/** If streams do not get through, they are tried again after this time. */
const STREAM_AGAIN_MS = 120_000

/**
 * Follows rooms by plain HTTP until `signal` is aborted or no room is open. Any node can answer any request.
 */
export const followByHttp = async (options: HttpFollowOptions): Promise<void> => {
  const { api, random, signal, ways } = options
  let attempt = 0
  let waitSeconds = 0
  let streamAgainAt = 0
  /** Rooms that lost messages and start again with their newest ones, which these requests do not return. */
  const losses = new Map<Followed, LossReason>()

  const open = () => options.rooms.filter((room) => room.open)
  const reached = (way: HttpWay) => {
    attempt = 0
    options.onWay(way)
  }

  /**
   * Rooms without a valid position start with a page of their own. A person's own channel starts with its
   * inbox.
   */
  const begin = async (room: Followed): Promise<Failure | undefined> => {
    const reason = losses.get(room)
    if (!room.position || reason) {
      const page = await firstPage(api, room, reason, signal)
      if (signal.aborted) return
      if (!page.ok) return isFinal(page) ? dismiss(room, page) : page
      losses.delete(room)
      room.take(page.value)
    }
    if (room.inbox || !isOwn(room.channel)) return
    const inbox = await api.inbox(room.channel, signal)
    if (inbox.ok && !signal.aborted) room.counted(inbox.value)
    return
  }

  /** Returns false if the room has to start again. */
  const take = (room: Followed, page: Page): boolean => {
    if (page.reason && room.history > 0) {
      losses.set(room, page.reason)
      return false
    }
    room.take(page)
    room.settle(true)
    return true
  }

  const dismiss = (room: Followed, failure: Failure): undefined => {
    options.onFailure(failure)
    room.refuse(failure)
  }

  const cursors = () => open().map((room) => cursorOf(room.channel, room.position))

  const poll = async (): Promise<Failure | undefined> => {
    const askedAt = now()
    const answer = await api.wait(cursors(), waitSeconds, signal)
    if (signal.aborted) return
    if (!answer.ok) return answer
    const attempts = attempt
    reached('poll')
    let news = false
    for (const page of answer.value) {
      news ||= page.messages.length > 0 || page.reason !== undefined
      for (const room of open()) if (room.is(page.channel)) take(room, page)
    }
    const held = waitSeconds === 0 || news || now() - askedAt >= HELD_AT_LEAST_MS
    waitSeconds = LONGEST_HOLD_SECONDS
    if (held) return
    attempt = attempts + 1
    await pause(backoffMs(attempts, RETRY, random), signal)
    return
  }

  const stream = async (): Promise<Failure | undefined> => {
    const hole = new AbortController()
    const dispatch = createDispatch(open, () => hole.abort())
    const onEvent = (event: string, body: unknown) => {
      if (event !== 'subscribed') return dispatch.take(event, body)
      const page = parseSubscribed(body)
      if (!page.ok) return
      reached('stream')
      dispatch.each(page.value.channel, (room) => {
        if (!take(room, page.value)) hole.abort()
      })
    }
    const bound = boundBy([signal, hole.signal])
    const answer = await api.stream(cursors(), onEvent, bound.signal)
    bound.release()
    return answer.ok ? undefined : answer
  }

  const streamIsWorthIt = () => ways.includes('stream') && (!ways.includes('poll') || now() >= streamAgainAt)

  /** The whole request was refused. Finds the room that caused it. */
  const sortOut = async (failure: Failure) => {
    const answers = await Promise.all(
      open().map(async (room) => ({ room, answer: await api.newest(room.channel, 1, signal) })),
    )
    if (signal.aborted) return
    const [only, ...others] = answers
    if (only && others.length === 0) return only.room.refuse(failure)
    for (const { room, answer } of answers) if (!answer.ok && isFinal(answer)) room.refuse(answer)
  }

  while (!signal.aborted && open().length > 0) {
    const begun = await Promise.all(open().map(begin))
    const failure = begun.find((each) => each) ?? (open().length === 0 ? undefined : await turn())
    if (signal.aborted) return
    if (!failure) continue
    options.onFailure(failure)
    options.onWay(undefined)
    for (const room of open()) room.settle(false)
    waitSeconds = 0
    if (failure.code === 'NO_STREAM') streamAgainAt = now() + STREAM_AGAIN_MS
    else if (isFinal(failure)) await sortOut(failure)
    const asked = Math.min(failure.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
    await pause(Math.max(asked, backoffMs(attempt++, RETRY, random)), signal)
  }

  function turn() {
    return streamIsWorthIt() ? stream() : poll()
  }
}

/**
 * Whether a retry is useless. A refused token is handled elsewhere, and ends everything if there is no other
 * token. An answer that is not our server's comes from a proxy; that is temporary.
 */
const isFinal = ({ react, code }: Failure): boolean => react !== 'retry' && react !== 'reauth' && code !== 'MALFORMED'
