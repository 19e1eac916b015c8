import { fail, ok, type Result, type Subscribed, userOf } from '@saoma/protocol'
import type { ChannelName } from './channel-name.ts'
import type { ReadFrom, Subscription } from './live.ts'
import type { LiveConnection, LiveConnectionDeps } from './live-connection.ts'

/** The state of one channel of a connection. */
interface FollowedChannel {
  /** Whether a subscribe is in progress: the first one, or one that replaces the current following. */
  joining: boolean
  followed?: Subscription['following']
}

/**
 * Most pages read concurrently for one connection. Each may have 256
 * KiB and is buffered if the client does not read.
 */
const JOINS_AT_ONCE = 4

/** The channels that a connection follows. */
export class Subscriptions {
  readonly #connection: LiveConnection
  readonly #deps: LiveConnectionDeps
  readonly #channels = new Map<ChannelName, FollowedChannel>()
  /** Number of pages being read, and the joins that wait for their turn. */
  #joining = 0
  #waiting: (() => void)[] | undefined

  constructor(connection: LiveConnection, deps: LiveConnectionDeps) {
    this.#connection = connection
    this.#deps = deps
  }

  /** Runs `later` when the answer is on its way. From then on the client receives messages. */
  async subscribe(
    channel: ChannelName,
    from: ReadFrom,
    later: (work: () => void) => void,
  ): Promise<Result<Subscribed>> {
    const { limits, maxChannels } = this.#deps
    const channels = this.#channels
    const place = channels.get(channel) ?? { joining: false }
    // One at a time: two concurrent ones would both follow.
    if (place.joining) return fail('RATE_LIMITED')
    if (!channels.has(channel) && channels.size >= maxChannels) return fail('TOO_MANY_CHANNELS')
    channels.set(channel, place)
    place.joining = true
    try {
      if (await limits.subscribes(this.#connection.endpoint.connection)) return fail('RATE_LIMITED')
      // No history is requested, so the current following continues without interruption.
      if (place.followed && !from.since && !from.history) return await this.#look(channel)
      return await this.#inTurn(() => this.#join(channel, place, from, later))
    } finally {
      place.joining = false
      // It was refused, or its page has more behind it. A previous
      // following continues unless it was replaced.
      if (!place.followed && channels.get(channel) === place) channels.delete(channel)
    }
  }

  unsubscribe(channel: ChannelName): Result<object> {
    const place = this.#channels.get(channel)
    if (!place) return fail('NOT_SUBSCRIBED')
    place.followed?.close()
    this.#channels.delete(channel)
    return ok({})
  }

  /** Closes all of them. Idempotent. */
  close(): void {
    for (const place of this.#channels.values()) place.followed?.close()
    this.#channels.clear()
  }

  /** Runs a join when it is its turn among those of the connection. */
  async #inTurn<T>(join: () => Promise<T>): Promise<T> {
    if (this.#joining >= JOINS_AT_ONCE) {
      await new Promise<void>((resolve) => {
        this.#waiting ??= []
        this.#waiting.push(resolve)
      })
    } else this.#joining++
    try {
      return await join()
    } finally {
      const next = this.#waiting?.shift()
      if (next) next()
      else this.#joining--
    }
  }

  async #join(
    channel: ChannelName,
    place: FollowedChannel,
    from: ReadFrom,
    later: (work: () => void) => void,
  ): Promise<Result<Subscribed>> {
    const { live, metrics } = this.#deps
    const connection = this.#connection
    const result = await live.subscribe(connection.who, channel, from, connection, true)
    if (!result.ok) return result
    const { subscribed, following } = result.value
    // Unsubscribed, cut off or closed in the meantime.
    if (this.#channels.get(channel) !== place || !connection.isOpen || connection.cutIfSlow()) {
      following.close()
      return fail('NOT_SUBSCRIBED')
    }
    const { recovered, reason, more } = subscribed
    metrics.recoveries.inc({ result: recovered ? 'recovered' : (reason ?? 'new') })
    if (recovered) metrics.recovered.inc(subscribed.messages.length)
    place.followed?.close()
    delete place.followed
    if (!more) {
      place.followed = following
      later(() => following.start())
    }
    return ok(subscribed)
  }

  /** The answer to a subscribe, without subscribing. */
  async #look(channel: ChannelName): Promise<Result<Subscribed>> {
    const { live } = this.#deps
    const { who } = this.#connection
    const page = await live.read(who, channel, {})
    if (!page.ok || userOf(channel) === undefined) return page
    const inbox = await live.inbox(who, channel)
    return inbox.ok ? ok({ ...page.value, inbox: inbox.value }) : inbox
  }
}
