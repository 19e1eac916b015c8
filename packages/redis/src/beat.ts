import { Cluster } from 'ioredis'
import type { Connection } from './connection.ts'
import { hold } from './hold.ts'
import type { Keys } from './keys.ts'
import { wordOf } from './replies.ts'
import { script } from './script.ts'

/** The connections that write and publish. */
export type Way = 'data' | 'pub'

export interface BeatOptions {
  /**
   * Called when the refusal on a connection changes: the first word of Redis's error, such as OOM, or
   * undefined when Redis accepts writes again.
   */
  onRefusal: (way: Way, word: string | undefined, error?: Error) => void
  /**
   * Called when a shard has lost its data: it was emptied, or came back without its data. Called once if
   * several shards lose their data at the same time.
   */
  onEmptied?: () => void
  /** The clock, in milliseconds. @default performance.now */
  now?: () => number
}

/**
 * A replacement of a master in a Redis Cluster takes less than this. A single shard in failover must not make
 * all nodes unready.
 */
const AWAY_MS = 5_000
/** TTL of a beat's key. */
const KEY_MS = 60_000
/**
 * After this time every connected client has presented a new token, so ends that an outage of this length
 * lost need not be announced again.
 */
export const MARK_MS = 3_600_000
/** Shards that an operator empties one after the other are reported together. */
const TOGETHER_MS = 200

const beat = script<[key: string], [channel: string, message: string, ms: number], number>('beat', 1, Number)

/** Errors of a Redis Cluster's shards while a master is being replaced or slots move. */
const FAILING_OVER = new Set(['CLUSTERDOWN', 'MASTERDOWN', 'LOADING', 'TRYAGAIN', 'MOVED', 'ASK'])

/**
 * Returns Redis's own error, also from inside our errors and those of ioredis. After too many redirections
 * ioredis quotes the last error in its message.
 */
const replyIn = (error: unknown): Error | undefined => {
  if (!(error instanceof Error)) return undefined
  if (error.name === 'ReplyError') return error
  const [, quoted] = /Last error: ReplyError: (.*)/s.exec(error.message) ?? []
  return quoted === undefined ? replyIn(error.cause) : new Error(quoted, { cause: error })
}

/**
 * Checks that the connections can do what the product does: run a script that writes and publishes. A
 * connection may be open and still fail every call: its master was demoted, its Redis is full, or its user
 * lost a right. The beat detects this.
 */
export const createBeat = (connections: Record<Way, Connection>, keys: Keys, options: BeatOptions) => {
  const { onRefusal, onEmptied = () => {}, now = () => performance.now() } = options
  /** The tags of the present shards. */
  const tags = new Set<string>()
  /**
   * The last failure, by the tag of its shard or by another name: the word of Redis's error, or '' for no
   * reply.
   */
  const failures: Record<Way, Map<string, { word: string; since: number }>> = { data: new Map(), pub: new Map() }
  const told: Record<Way, string | undefined> = { data: undefined, pub: undefined }
  /** When the last accepted mark was sent, by tag. */
  const marked = new Map<string, number>()
  let telling: NodeJS.Timeout | undefined

  const refusal = (way: Way): string | undefined => [...failures[way].values()].find(({ word }) => word !== '')?.word
  const tell = (way: Way, error?: Error) => {
    const word = refusal(way)
    // Without a reply it is unknown whether Redis still refuses.
    if (word === told[way] || (word === undefined && failures[way].size > 0)) return
    told[way] = word
    onRefusal(way, word, error)
  }

  /**
   * Writes a key of this node on each shard. If the key is missing later, the shard has lost its data: a slot
   * that moves takes the key along, and a replica gets it within a moment. The key is also written to a full
   * Redis, because that is when an operator may empty it.
   */
  const mark = async (tag: string): Promise<void> => {
    const sentAt = now()
    const before = await hold(connections.data, [keys.mark(tag)], [1, MARK_MS])
    if (!tags.has(tag)) return
    const markedAt = marked.get(tag)
    marked.set(tag, sentAt)
    // After a longer pause the key may just have expired.
    if (before !== null || markedAt === undefined || now() - markedAt >= MARK_MS) return
    telling ??= setTimeout(() => {
      telling = undefined
      onEmptied()
    }, TOGETHER_MS).unref()
  }

  const note = (way: Way, name: string, word: string, since: number, error?: Error): void => {
    failures[way].set(name, { word, since: failures[way].get(name)?.since ?? since })
    tell(way, error)
  }
  const clear = (way: Way, name: string): void => {
    failures[way].delete(name)
    tell(way)
  }

  return {
    /** Starts tracking a shard's beats, until `forget`. */
    know: (tag: string): void => void tags.add(tag),
    /** Sends a beat. Resolves with whether the shard of `tag` accepted it. */
    say: async (way: Way, tag: string): Promise<boolean> => {
      // If Redis refuses the mark, it also refuses the beat, and the beat reports it.
      if (way === 'data') mark(tag).catch(() => {})
      const saidAt = now()
      try {
        await beat(connections[way], [keys.beat(tag)], [keys.beatChannel(tag), way, KEY_MS])
        if (tags.has(tag)) clear(way, tag)
        return true
      } catch (error) {
        // Ignore a beat that fails after its shard was forgotten: no later beat would clear that failure.
        const answer = replyIn(error)
        if (tags.has(tag)) note(way, tag, answer ? wordOf(answer) : '', saidAt, answer)
        return false
      }
    },
    /** Stops tracking a shard that is gone. */
    forget: (tag: string): void => {
      tags.delete(tag)
      marked.delete(tag)
      for (const way of ['data', 'pub'] as const) clear(way, tag)
    },
    /**
     * Records another refusal on a connection under a name of its own: Redis's word, or undefined to clear
     * it.
     */
    heed: (way: Way, name: string, word: string | undefined, error?: Error): void => {
      if (word === undefined) clear(way, name)
      else note(way, name, word, now(), error)
    },
    /**
     * Whether the last beat on some shard failed. In a Redis Cluster a shard that is being replaced gets a
     * grace period.
     */
    fails: (way: Way): boolean => {
      const before = connections[way] instanceof Cluster ? now() - AWAY_MS : Number.POSITIVE_INFINITY
      const mayPass = (word: string) => word === '' || FAILING_OVER.has(word)
      return [...failures[way].values()].some(({ word, since }) => !mayPass(word) || since < before)
    },
    refusal,
    close: (): void => clearTimeout(telling),
  }
}

export type Beat = ReturnType<typeof createBeat>
