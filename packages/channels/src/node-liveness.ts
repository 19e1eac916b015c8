import { randomBytes } from 'node:crypto'
import { every, orUnavailable, type RedisClients } from '@saoma/redis'
import pMap from 'p-map'
import type { ChannelsEvent } from './event.ts'
import { scripts } from './scripts.ts'

/** Missing beats after which a node counts as dead. */
const MISSES = 5
/**
 * After a longer pause without a beat this node may share an outage with the others, whose names expired a
 * little earlier.
 */
const STEADY = MISSES - 2
/**
 * A node must have been well for this many lifetimes before it declares others dead: after an outage they may
 * need longer to return.
 */
const PERIODS_WELL = 2
const DAY_MS = 86_400_000
/** People removed in one call. */
const BATCH = 500
/** Channels swept at once. */
const AT_ONCE = 20

export interface NodeLivenessOptions {
  nodeId: string
  beatMs: number
  announces: (channel: string) => boolean
  onEvent: (event: ChannelsEvent) => void
  /**
   * The node has a new name, and nobody is present under it yet. Called once for each former name, even if
   * beats failed in between.
   */
  onRenamed: (former: string) => void
}

/**
 * A node's name in the cluster, kept by heartbeats. A name whose beats are overdue is given up for good. Its
 * presence is swept by this node or another, while this node registers everything again under a new name. So
 * a sweep never hits a live node.
 */
export const createNodeLiveness = (redis: RedisClients, options: NodeLivenessOptions) => {
  const { nodeId, beatMs, announces, onEvent, onRenamed } = options
  const { data, keys } = redis
  const aliveMs = MISSES * beatMs
  const drawName = () => `${nodeId}.${randomBytes(6).toString('base64url')}`

  let node = drawName()
  let first = true
  /**
   * Former names, until the node holds another name and `onRenamed` was called. They are kept because the
   * first beat under a new name may fail.
   */
  const former = new Set<string>()
  /** When the last accepted beat of this name was sent. */
  let beatAt = Number.NEGATIVE_INFINITY
  /** Since when there was no long pause between beats. */
  let steadySince = 0
  let beating: Promise<void> | undefined
  const sweeping = new Set<Promise<void>>()
  let closed = false

  /** Removes the presence of a node from a channel. */
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
    // Two nodes may sweep the same name without harm; the lock only saves work.
    if (!(await scripts.lockSweep(data, [keys.nodeSweep(name)], [node, aliveMs]))) return
    const channels = await orUnavailable(data.smembers(keys.nodeChannels(name)))
    await pMap(
      channels,
      async (channel) => {
        if (!closed) await take(channel, name)
      },
      { concurrency: AT_ONCE },
    )
    // A node that is closing does not wait for a sweep. The next node sweeps the rest.
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
   * Sends a beat. Resolves with the names whose leases have ended, or with undefined if our own has ended.
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
    // After an outage all nodes are overdue for a moment. Only a node that has been well all the time may
    // declare others dead.
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

  const stop = every(beatMs, () => {
    if (!closed && !beating) beatOnce().catch((error: unknown) => onEvent({ kind: 'error', error }))
  })

  return {
    get node() {
      return node
    },

    /** Resolves when the name is certainly held: a suspended process may have lost it without noticing. */
    held: async (): Promise<void> => {
      if (performance.now() - beatAt > (MISSES - 1) * beatMs) await beatOnce()
    },

    take,

    stop: (): void => {
      closed = true
      stop()
    },

    /** Gives up the name. */
    close: async (): Promise<void> => {
      closed = true
      stop()
      await beating?.catch(() => {})
      await Promise.all(sweeping)
      await forget(node)
    },
  }
}
