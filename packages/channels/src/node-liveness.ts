import { randomBytes } from 'node:crypto'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import pMap from 'p-map'
import type { ChannelsEvent } from './event.ts'
import { scripts } from './scripts.ts'

/** Beats that may be missing before a node counts as dead. */
const MISSES = 5
/**
 * A node that has been without a beat for longer may share its trouble with the others, whose names ran out a
 * little sooner.
 */
const STEADY = MISSES - 2
/**
 * Of these a node has been well before it calls others dead: after an outage they may be slower to come back
 * than it was.
 */
const PERIODS_WELL = 2
const DAY_MS = 86_400_000
/** People taken away in one call. */
const BATCH = 500
/** Channels swept at once. */
const AT_ONCE = 20

export interface NodeLivenessOptions {
  nodeId: string
  beatMs: number
  announces: (channel: string) => boolean
  onEvent: (event: ChannelsEvent) => void
  /**
   * The node holds another name now, and nobody is present under it yet. Told once of each former name,
   * whatever failed in between.
   */
  onRenamed: (former: string) => void
}

/**
 * A node's name among the others, held by regular signs of life. A name whose beats were overdue is given up
 * for good: what it left is swept, by this node or another, while this one says everything again under a new
 * name. So no sweep can hit the living.
 */
export const createNodeLiveness = (redis: RedisClients, options: NodeLivenessOptions) => {
  const { nodeId, beatMs, announces, onEvent, onRenamed } = options
  const { data, keys } = redis
  const aliveMs = MISSES * beatMs
  const drawName = () => `${nodeId}.${randomBytes(6).toString('base64url')}`

  let node = drawName()
  let first = true
  /**
   * Names given up, until the node holds another and that was told. A state and not a step: the first beat
   * under a new name may fail.
   */
  const former = new Set<string>()
  /** When the last beat that was taken under this name was sent. */
  let beatAt = Number.NEGATIVE_INFINITY
  /** Since when there was never so long a pause. */
  let steadySince = 0
  let beating: Promise<void> | undefined
  const sweeping = new Set<Promise<void>>()
  let closed = false

  /** Takes away what a node has in a channel. */
  const take = async (channel: string, from: string) => {
    const swept: [string, string, string] = [
      keys.channelPeople(channel),
      keys.channelPeopleOf(channel, from),
      keys.channelPubsub(channel),
    ]
    while ((await scripts.sweep(data, swept, [announces(channel) ? 1 : 0, BATCH])) > 0);
  }

  const forget = async (name: string) => {
    await orUnavailable(data.del(keys.nodeChannels(name)))
    await orUnavailable(data.zrem(keys.nodes(), name))
  }

  const sweep = async (name: string) => {
    // Two may sweep the same without harm; the lock only spares the work.
    if (!(await orUnavailable(data.set(keys.nodeSweep(name), node, 'PX', aliveMs, 'NX')))) return
    const channels = await orUnavailable(data.smembers(keys.nodeChannels(name)))
    await pMap(
      channels,
      async (channel) => {
        if (!closed) await take(channel, name)
      },
      { concurrency: AT_ONCE },
    )
    // A node that leaves does not stay for another's sake: what is left is swept by the next.
    if (closed) return
    await forget(name)
    onEvent({ kind: 'swept', node: name, channels: channels.length })
  }

  const sweepAll = async (names: string[]) => {
    try {
      for (const name of names) if (!closed) await sweep(name)
    } catch (error) {
      onEvent({ kind: 'error', error })
    }
  }

  const rename = () => {
    former.add(node)
    node = drawName()
    first = true
    beatAt = Number.NEGATIVE_INFINITY
  }

  /**
   * What Redis says to a sign of life that was sent at that moment: names whose time is over; undefined when
   * ours is.
   */
  const say = async (sentAt: number): Promise<string[] | undefined> => {
    const { taken, overdue } = await scripts.beat(data, [keys.nodes()], [node, aliveMs, first ? 1 : 0])
    if (!taken) return undefined
    if (sentAt - beatAt > STEADY * beatMs) steadySince = sentAt
    first = false
    beatAt = sentAt
    for (const name of former) {
      former.delete(name)
      onRenamed(name)
    }
    return overdue
  }

  const beat = async () => {
    let sentAt = performance.now()
    let overdue = await say(sentAt)
    if (!overdue) {
      rename()
      sentAt = performance.now()
      overdue = await say(sentAt)
    }
    await orUnavailable(data.pexpire(keys.nodeChannels(node), DAY_MS))
    // After an outage all are overdue for a moment: only one who has been well all the time may call others
    // dead.
    if (!overdue?.length || sweeping.size > 0 || sentAt - steadySince < PERIODS_WELL * aliveMs) return
    const swept = sweepAll(overdue)
    sweeping.add(swept)
    void swept.then(() => sweeping.delete(swept))
  }

  const beatOnce = (): Promise<void> => {
    beating ??= beat().finally(() => {
      beating = undefined
    })
    return beating
  }

  const timer = setInterval(() => {
    if (!closed && !beating) beatOnce().catch((error: unknown) => onEvent({ kind: 'error', error }))
  }, beatMs).unref()

  return {
    get node() {
      return node
    },

    /**
     * Resolves when the name is held for certain: a node that was stopped for a while may have lost it
     * without knowing.
     */
    held: async (): Promise<void> => {
      if (performance.now() - beatAt > (MISSES - 1) * beatMs) await beatOnce()
    },

    take,

    stop: (): void => {
      closed = true
      clearInterval(timer)
    },

    /** Gives the name up. */
    close: async (): Promise<void> => {
      closed = true
      clearInterval(timer)
      await beating?.catch(() => {})
      await Promise.all(sweeping)
      await forget(node)
    },
  }
}
