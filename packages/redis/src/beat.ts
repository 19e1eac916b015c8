import { Cluster } from 'ioredis'
import type { Connection } from './connection.ts'
import { hold } from './hold.ts'
import type { Keys } from './keys.ts'
import { defineScript } from './script.ts'

/** The connections that write and publish. */
export type Way = 'data' | 'pub'

export interface BeatOptions {
  /** Told when what Redis refuses on a connection becomes another thing: a word of Redis such as OOM, or nothing any more. */
  onRefusal: (way: Way, word: string | undefined, error?: Error) => void
  /** Told when some shard has lost what it had: it was emptied, or came back without its data. Once, if several did at the same time. */
  onEmptied?: () => void
  /** The clock, in milliseconds. @default performance.now */
  now?: () => number
}

/** A master of a Redis Cluster that gives no answer for longer has not merely been replaced; one of several does not turn all nodes red. */
const AWAY_MS = 5_000
/** A key that nobody writes any more is gone after this. */
const KEY_MS = 60_000
/** By then whoever is connected has shown a new token, so that nobody needs to be told what an outage as long has lost. */
export const MARK_MS = 3_600_000
/** Shards that are emptied one after the other by one hand are told of together. */
const TOGETHER_MS = 200

const beat = defineScript<[key: string], [channel: string, message: string, ms: number], number>(
  [new URL('../lua/beat.lua', import.meta.url)],
  1,
  Number,
)

/** Redis's own error, also within one of ours. */
const replyIn = (error: unknown): Error | undefined => {
  if (!(error instanceof Error)) return undefined
  return error.name === 'ReplyError' ? error : replyIn(error.cause)
}

/** The word for what Redis replied. Within a script it says a missing right in a sentence. */
export const wordOf = ({ message }: Error): string =>
  message.includes('The user executing the script') ? 'NOPERM' : (/^[A-Z]+/.exec(message)?.[0] ?? 'ERR')

/**
 * Whether the connections can do what the product does with them: run a script that writes and publishes. One that is connected may be
 * that to a master that was demoted, to a Redis that is full, or as a user who lost a right; every call would fail and nobody would know.
 */
export const createBeat = (connections: Record<Way, Connection>, keys: Keys, options: BeatOptions) => {
  const { onRefusal, onEmptied = () => {}, now = () => performance.now() } = options
  /** What failed last, by the tag of its shard: a word of Redis, or '' without an answer. */
  const failures: Record<Way, Map<string, { word: string; since: number }>> = { data: new Map(), pub: new Map() }
  const told: Record<Way, string | undefined> = { data: undefined, pub: undefined }
  /** When the last mark was sent that the shard of a tag took. */
  const marked = new Map<string, number>()
  let telling: NodeJS.Timeout | undefined

  const refusal = (way: Way): string | undefined => [...failures[way].values()].find(({ word }) => word !== '')?.word
  const tell = (way: Way, error?: Error) => {
    const word = refusal(way)
    // Without an answer nobody knows whether Redis would refuse still.
    if (word === told[way] || (word === undefined && failures[way].size > 0)) return
    told[way] = word
    onRefusal(way, word, error)
  }

  /**
   * A key of our own on each shard, that is there unless the shard has lost it: a slot that moves takes it along, and a replica has it
   * after the first moment. It is written also when Redis is full, which is when somebody may empty it.
   */
  const mark = async (tag: string): Promise<void> => {
    const sentAt = now()
    const before = await hold(connections.data, [keys.mark(tag)], [1, MARK_MS])
    const markedAt = marked.get(tag)
    marked.set(tag, sentAt)
    // After a longer silence it may just have been over.
    if (before !== null || markedAt === undefined || now() - markedAt >= MARK_MS) return
    telling ??= setTimeout(() => {
      telling = undefined
      onEmptied()
    }, TOGETHER_MS).unref()
  }

  return {
    /** Resolves with whether the shard of `tag` took it. */
    say: async (way: Way, tag: string): Promise<boolean> => {
      // What Redis refuses, the beat is refused too, and tells of it.
      if (way === 'data') mark(tag).catch(() => {})
      try {
        await beat(connections[way], [keys.beat(tag)], [keys.beatChannel(tag), way, KEY_MS])
        failures[way].delete(tag)
        tell(way)
        return true
      } catch (error) {
        const answer = replyIn(error)
        const { since = performance.now() } = failures[way].get(tag) ?? {}
        failures[way].set(tag, { word: answer ? wordOf(answer) : '', since })
        tell(way, answer)
        return false
      }
    },
    /** Of a shard that is no more. */
    forget: (tag: string): void => {
      marked.delete(tag)
      for (const way of ['data', 'pub'] as const) {
        failures[way].delete(tag)
        tell(way)
      }
    },
    /** Whether some shard did not take the last one. */
    fails: (way: Way): boolean => {
      const before = connections[way] instanceof Cluster ? performance.now() - AWAY_MS : Number.POSITIVE_INFINITY
      return [...failures[way].values()].some(({ word, since }) => word !== '' || since < before)
    },
    refusal,
    close: (): void => clearTimeout(telling),
  }
}

export type Beat = ReturnType<typeof createBeat>
