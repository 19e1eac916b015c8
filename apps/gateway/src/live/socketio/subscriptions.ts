import { fail, ok, parseOfChannel, parseSubscribe, type Result, type Subscribed, userOf } from '@saoma/protocol'
import type { Principal } from '../../access/principal.ts'
import type { Metrics } from '../../operate/metrics.ts'
import type { Limits } from '../../transport/limits.ts'
import type { AckHandler } from '../../transport/socket/ack-handler.ts'
import type { Live } from '../live.ts'
import { connectionOf, type FollowedChannel, isOpen, type LiveSocket } from './live-socket.ts'

export interface SubscriptionsDeps {
  live: Live
  limits: Pick<Limits, 'subscribes'>
  metrics: Metrics
  /** Cuts off a reader that is behind; true if it was. */
  cutIfSlow: (socket: LiveSocket) => boolean
}

/** Pages read at once for one connection: each may be 256 KiB, and waits for a reader who may not read. */
const JOINS_AT_ONCE = 4

/** The channels that a connection follows. */
export const createSubscriptions = (
  { live, limits, metrics, cutIfSlow }: SubscriptionsDeps,
  maxChannels: number,
): { subscribe: AckHandler<LiveSocket>; unsubscribe: AckHandler<LiveSocket> } => {
  /** Waits for its turn among the joins of the connection. */
  const inTurn = async <T>({ data }: LiveSocket, join: () => Promise<T>): Promise<T> => {
    if (data.joining >= JOINS_AT_ONCE) await new Promise<void>((resolve) => data.waiting.push(resolve))
    else data.joining++
    try {
      return await join()
    } finally {
      const next = data.waiting.shift()
      if (next) next()
      else data.joining--
    }
  }

  const join = async (
    socket: LiveSocket,
    name: string,
    place: FollowedChannel,
    request: { since?: unknown },
    later: (work: () => void) => void,
  ): Promise<Result<Subscribed>> => {
    const { who, following, listener } = socket.data
    const result = await live.subscribe(who, request, listener, true)
    if (!result.ok) return result
    const { subscribed, following: followed } = result.value
    // Unsubscribed, cut off or gone in the meantime.
    if (following.get(name) !== place || !isOpen(socket) || cutIfSlow(socket)) {
      followed.close()
      return fail('NOT_SUBSCRIBED')
    }
    const { recovered, reason, more } = subscribed
    metrics.recoveries.inc({ result: recovered ? 'recovered' : (reason ?? 'new') })
    if (recovered) metrics.recovered.inc(subscribed.messages.length)
    place.followed?.close()
    delete place.followed
    if (!more) {
      place.followed = followed
      later(() => followed.start())
    }
    return ok(subscribed)
  }

  /** What a subscription is answered, without one. */
  const look = async (who: Principal, name: string): Promise<Result<Subscribed>> => {
    const page = await live.read(who, name, {})
    if (!page.ok || userOf(name) === undefined) return page
    const inbox = await live.inbox(who, { channel: name })
    return inbox.ok ? ok({ ...page.value, inbox: inbox.value }) : inbox
  }

  const subscribe: AckHandler<LiveSocket> = async (socket, request, later) => {
    const { who, following } = socket.data
    const asked = parseSubscribe(request)
    if (!asked.ok) return asked
    const channel = live.resolve(who, asked.value.channel)
    if (!channel.ok) return channel
    const name = channel.value
    const place = following.get(name) ?? { joining: false }
    // One at a time: two that cross would both follow.
    if (place.joining) return fail('RATE_LIMITED')
    if (!following.has(name) && following.size >= maxChannels) return fail('TOO_MANY_CHANNELS')
    following.set(name, place)
    place.joining = true
    try {
      if (await limits.subscribes(connectionOf(socket))) return fail('RATE_LIMITED')
      const { since, history } = asked.value
      // Nothing is asked of the past: what is followed goes on as it is, and is not interrupted.
      if (place.followed && !since && !history) return await look(who, name)
      return await inTurn(socket, () => join(socket, name, place, asked.value, later))
    } finally {
      place.joining = false
      // Refused, or a page with more behind it. What was followed before goes on if it was not replaced.
      if (!place.followed && following.get(name) === place) following.delete(name)
    }
  }

  const unsubscribe: AckHandler<LiveSocket> = async ({ data: { who, following } }, request) => {
    const asked = parseOfChannel(request)
    const channel = asked.ok ? live.resolve(who, asked.value.channel) : asked
    if (!channel.ok) return channel
    const place = following.get(channel.value)
    if (!place) return fail('NOT_SUBSCRIBED')
    place.followed?.close()
    following.delete(channel.value)
    return ok({})
  }

  return { subscribe, unsubscribe }
}
