import type { Beat, Way } from './beat.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Subscriber } from './subscriber.ts'
import type { ChannelListener } from './subscription.ts'
import { drawTags, shardOf, shardsOf } from './tags.ts'

export interface ProbeOptions {
  /** Milliseconds between two beats. */
  intervalMs: number
  /** Told when a subscription that is connected hears nothing; it is being made anew. */
  onDeaf: () => void
  /** Told of each echo, with the seconds it took. */
  onEcho: (seconds: number) => void
}

/** What the node says to itself over one connection. */
interface Echo {
  /** Said and not heard; less than none where the connection is being made anew. */
  missed: number
  saidAt: number
  heardAt: number | undefined
  /** It was missed for so long that the connection was given up, and was not heard since. */
  isLost: boolean
}

/** Of one shard. */
interface Echoes extends Record<Way, Echo> {
  listener: ChannelListener
  /** Since when Redis has not confirmed that we listen; undefined while it has. */
  unheardSince: number | undefined
}

/** Echoes that may be missing before the connection is given up. */
const MISSES = 3
/**
 * A subscription that is not confirmed for longer is not just being made again after a move or a failover.
 */
const UNHEARD_MS = 5_000
const WAYS: readonly Way[] = ['data', 'pub']

const echoAt = (heardAt: number | undefined): Echo => ({
  missed: 0,
  saidAt: performance.now(),
  heardAt,
  isLost: false,
})

/**
 * Has the beat go out, on every shard, and listens for it. So it finds a subscription that is connected but
 * deaf: a half-open connection, a proxy that lost its way, a server that forgot us. Such a one looks healthy
 * from every other side. The beat goes both ways that the product's own messages go: those of scripts over
 * `data`, those of the Socket.IO adapter over `pub`.
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
    // An echo that is late belongs to what was said first.
    if (echo.missed <= 0) echo.saidAt = performance.now()
    // Counted first, so that only an echo takes it back.
    echo.missed++
    const wasHeard = isHeard(tag)
    echoes.unheardSince = wasHeard ? undefined : (echoes.unheardSince ?? performance.now())
    // A beat that fails is Redis's fault, not that of our ears. And for what is being subscribed to again a
    // new connection is no help.
    if (!(await beat.say(way, tag)) || !wasHeard) echo.missed = 0
  }
  const sayBoth = (tag: string, echo: Echoes): void => {
    for (const way of WAYS) void say(tag, way, echo)
  }

  /** One channel for each shard there is now. */
  const cover = (heardAt?: number): void => {
    const uncovered = shardsOf(data)
    for (const [tag, { listener }] of echoes) {
      const shard = shardOf(data, keys.beatChannel(tag))
      if (shard === undefined || uncovered.delete(shard)) continue
      // Its slot has moved to a shard that has one already.
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
        // Unconfirmed holds are made good by the subscriber itself.
        () => {},
      )
    }
  }
  cover()

  const timer = setInterval(() => {
    const isDeaf = ({ data, pub }: Echoes) => subscriber.connected && Math.max(data.missed, pub.missed) >= MISSES
    const deaf = [...echoes].filter(([, echo]) => isDeaf(echo))
    if (deaf.length > 0) {
      // A connection that is being made anew has twice the time.
      for (const [, echo] of deaf) for (const way of WAYS) Object.assign(echo[way], { missed: -MISSES, isLost: true })
      onDeaf()
      subscriber.reconnect(deaf.map(([tag]) => keys.beatChannel(tag)))
    }
    // A shard that comes later has the benefit of the doubt: the node has been ready before.
    cover(performance.now())
    for (const [tag, echo] of echoes) sayBoth(tag, echo)
  }, intervalMs).unref()

  return {
    /**
     * One out of turn, whose echo nobody counts on: a connection is back, and this shows whether all is well.
     */
    hasten: (way: Way): void => {
      for (const tag of echoes.keys()) void beat.say(way, tag)
    },
    /** Whether an echo is overdue, or there has been nobody to hear it for too long. */
    isDeaf: (): boolean => {
      const before = performance.now() - UNHEARD_MS
      return (
        all().some(({ missed, isLost }) => isLost || missed > 1) ||
        [...echoes].some(([tag, { unheardSince }]) => (unheardSince ?? before) < before && !isHeard(tag))
      )
    },
    /** Seconds since the echo that was heard longest ago; undefined before each was heard once. */
    age: (): number | undefined => {
      const heard = all().map(({ heardAt }) => heardAt)
      if (heard.length === 0 || heard.includes(undefined)) return undefined
      return (performance.now() - Math.min(...heard.map(Number))) / 1_000
    },
    close: (): void => {
      clearInterval(timer)
      for (const [tag, { listener }] of echoes) subscriber.release(keys.beatChannel(tag), listener)
    },
  }
}
