import type { Beat, Way } from './beat.ts'
import type { Connection } from './connection.ts'
import { every } from './every.ts'
import type { Keys } from './keys.ts'
import type { Subscriber } from './subscriber.ts'
import type { ChannelListener } from './subscription.ts'
import { drawTags, shardOf, shardsOf } from './tags.ts'

export interface ProbeOptions {
  /** Milliseconds between two beats. */
  intervalMs: number
  /** Called when a subscription is connected but deaf, and is being replaced. */
  onDeaf: () => void
  /** Called for each echo, with its round-trip time in seconds. */
  onEcho: (seconds: number) => void
}

/** Beats of the node to itself over one connection. */
interface Echo {
  /** Beats without an echo. Negative while the connection is being replaced. */
  missed: number
  saidAt: number
  heardAt: number | undefined
  /** The connection was given up after missing echoes, and no echo has arrived since. */
  isLost: boolean
}

/** The echoes of one shard. */
interface Echoes extends Record<Way, Echo> {
  listener: ChannelListener
  /** Since when the subscription is unconfirmed; undefined while it is confirmed. */
  unheardSince: number | undefined
}

/** Missing echoes before the connection is given up. */
const MISSES = 3
/** A subscription that stays unconfirmed for longer is not just moving or failing over. */
const UNHEARD_MS = 5_000
const WAYS: readonly Way[] = ['data', 'pub']

const echoAt = (heardAt: number | undefined): Echo => ({
  missed: 0,
  saidAt: performance.now(),
  heardAt,
  isLost: false,
})

/**
 * Sends the beat on every shard and listens for its echo. This detects a subscription that is connected but
 * deaf: a half-open connection, a broken proxy, a server that lost the subscription. Nothing else shows it.
 * The beat takes both ways of the product's messages: `data` for scripts, `pub` for the Socket.IO adapter.
 */
export const createProbe = (
  data: Connection,
  subscriber: Subscriber,
  beat: Beat,
  keys: Keys,
  { intervalMs, onDeaf, onEcho }: ProbeOptions,
) => {
  /** By the tag of the shard. */
  const echoes = new Map<string, Echoes>()
  const all = (): Echo[] => [...echoes.values()].flatMap((echo) => WAYS.map((way) => echo[way]))
  const hear = (echo: Echo): void => {
    echo.heardAt = performance.now()
    if (echo.missed > 0) onEcho((echo.heardAt - echo.saidAt) / 1_000)
    echo.missed = 0
    echo.isLost = false
  }
  const createEchoes = (heardAt: number | undefined): Echoes => {
    const [data, pub] = [echoAt(heardAt), echoAt(heardAt)]
    const listener = {
      hear: (payload: Buffer) => {
        const way = payload.toString()
        if (way === 'data') hear(data)
        if (way === 'pub') hear(pub)
      },
    }
    return { data, pub, listener, unheardSince: undefined }
  }

  const isHeard = (tag: string): boolean => subscriber.connected && subscriber.hears(keys.beatChannel(tag))
  const say = async (tag: string, way: Way, echoes: Echoes): Promise<void> => {
    const echo = echoes[way]
    // A late echo belongs to the first unanswered beat.
    if (echo.missed <= 0) echo.saidAt = performance.now()
    // Count before sending, so that only an echo resets the count.
    echo.missed++
    const wasHeard = isHeard(tag)
    echoes.unheardSince = wasHeard ? undefined : (echoes.unheardSince ?? performance.now())
    // If the beat itself fails, Redis is at fault and not the subscription. And while a subscription is being
    // renewed, a new connection does not help.
    if (!(await beat.say(way, tag)) || !wasHeard) echo.missed = 0
  }
  const sayBoth = (tag: string, echo: Echoes): void => {
    for (const way of WAYS) void say(tag, way, echo)
  }

  /** Keeps one beat channel per present shard. */
  const cover = (heardAt?: number): void => {
    const uncovered = shardsOf(data)
    for (const [tag, { listener }] of echoes) {
      const shard = shardOf(data, keys.beatChannel(tag))
      if (shard === undefined || uncovered.delete(shard)) continue
      // The slot has moved to a shard that already has a beat channel.
      echoes.delete(tag)
      beat.forget(tag)
      subscriber.release(keys.beatChannel(tag), listener)
    }
    for (const tag of drawTags(data, uncovered).values()) {
      const echo = createEchoes(heardAt)
      echoes.set(tag, echo)
      beat.know(tag)
      subscriber.hold(keys.beatChannel(tag), echo.listener).then(
        () => sayBoth(tag, echo),
        // The subscriber itself retries an unconfirmed hold.
        () => {},
      )
    }
  }
  cover()

  const stop = every(intervalMs, () => {
    const isDeaf = ({ data, pub }: Echoes) => subscriber.connected && Math.max(data.missed, pub.missed) >= MISSES
    const deaf = [...echoes].filter(([, echo]) => isDeaf(echo))
    if (deaf.length > 0) {
      // A connection that is being replaced gets twice the time.
      for (const [, echo] of deaf) for (const way of WAYS) Object.assign(echo[way], { missed: -MISSES, isLost: true })
      onDeaf()
      subscriber.reconnect(deaf.map(([tag]) => keys.beatChannel(tag)))
    }
    // A shard that is added later counts as heard, because the node was ready before.
    cover(performance.now())
    for (const [tag, echo] of echoes) sayBoth(tag, echo)
  })

  return {
    /**
     * Sends an extra beat whose echo is not expected. After a reconnect it shows early whether all is well.
     */
    hasten: (way: Way): void => {
      for (const tag of echoes.keys()) void beat.say(way, tag)
    },
    /** Whether an echo is overdue, or a subscription has been unconfirmed for too long. */
    isDeaf: (): boolean => {
      const before = performance.now() - UNHEARD_MS
      return (
        all().some(({ missed, isLost }) => isLost || missed > 1) ||
        [...echoes].some(([tag, { unheardSince }]) => (unheardSince ?? before) < before && !isHeard(tag))
      )
    },
    /** Age of the oldest last echo in seconds; undefined until every shard was heard once. */
    age: (): number | undefined => {
      const heard = all().map(({ heardAt }) => heardAt)
      if (heard.length === 0 || heard.includes(undefined)) return undefined
      return (performance.now() - Math.min(...heard.map(Number))) / 1_000
    },
    close: (): void => {
      stop()
      for (const [tag, { listener }] of echoes) subscriber.release(keys.beatChannel(tag), listener)
    },
  }
}
