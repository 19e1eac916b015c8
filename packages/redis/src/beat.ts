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
   * Told when what Redis refuses on a connection becomes another thing: a word of Redis such as OOM, or
   * nothing any more.
   */
  onRefusal: (way: Way, word: string | undefined, error?: Error) => void
  /**
   * Told when some shard has lost what it had: it was emptied, or came back without its data. Once, if
   * several did at the same time.
   */
  onEmptied?: () => void
  /** The clock, in milliseconds. @default performance.now */
  now?: () => number
}

/**
 * A master of a Redis Cluster that gives no answer for longer has not merely been replaced; one of several
 * does not turn all nodes red.
 */
const AWAY_MS = 5_000
/** A key that nobody writes any more is gone after this. */
const KEY_MS = 60_000
/**
 * By then whoever is connected has shown a new token, so that nobody needs to be told what an outage as long
 * has lost.
 */
export const MARK_MS = 3_600_000
/** Shards that are emptied one after the other by one hand are told of together. */
const TOGETHER_MS = 200

const beat = script<[key: string], [channel: string, message: string, ms: number], number>('beat', 1, Number)

/** What the shards of a Redis Cluster say while one of them is replaced, or its slots move. */
const FAILING_OVER = new Set(['CLUSTERDOWN', 'MASTERDOWN', 'LOADING', 'TRYAGAIN', 'MOVED', 'ASK'])

/**
 * Redis's own error, also within one of ours or of ioredis, which gives up after so many redirections and
 * quotes the last of them.
 */
const replyIn = (error: unknown): Error | undefined => {
  if (!(error instanceof Error)) return undefined
  if (error.name === 'ReplyError') return error
  const [, quoted] = /Last error: ReplyError: (.*)/s.exec(error.message) ?? []
  return quoted === undefined ? replyIn(error.cause) : new Error(quoted, { cause: error })
}

/**
 * Whether the connections can do what the product does with them: run a script that writes and publishes. One
 * that is connected may be that to a master that was demoted, to a Redis that is full, or as a user who lost
 * a right; every call would fail and nobody would know.
 */
export const createBeat = (connections: Record<Way, Connection>, keys: Keys, options: BeatOptions) => {
  const { onRefusal, onEmptied = () => {}, now = () => performance.now() } = options
  /** The tags of the shards there are. */
  const tags = new Set<string>()
  /**
   * What failed last, by the tag of its shard or by another name: a word of Redis, or '' without an answer.
   */
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
   * A key of our own on each shard, that is there unless the shard has lost it: a slot that moves takes it
   * along, and a replica has it after the first moment. It is written also when Redis is full, which is when
   * somebody may empty it.
   */
  const mark = async (tag: string): Promise<void> => {
    const sentAt = now()
    const before = await hold(connections.data, [keys.mark(tag)], [1, MARK_MS])
    if (!tags.has(tag)) return
    const markedAt = marked.get(tag)
    marked.set(tag, sentAt)
    // After a longer silence it may just have been over.
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
    /** Begins with a shard: until `forget`, what becomes of its beats is known. */
    know: (tag: string): void => void tags.add(tag),
    /** Resolves with whether the shard of `tag` took it. */
    say: async (way: Way, tag: string): Promise<boolean> => {
      // What Redis refuses, the beat is refused too, and tells of it.
      if (way === 'data') mark(tag).catch(() => {})
      const saidAt = now()
      try {
        await beat(connections[way], [keys.beat(tag)], [keys.beatChannel(tag), way, KEY_MS])
        if (tags.has(tag)) clear(way, tag)
        return true
      } catch (error) {
        // One that was on its way when its shard was forgotten would be said by nobody any more, and so never
        // be taken back.
        const answer = replyIn(error)
        if (tags.has(tag)) note(way, tag, answer ? wordOf(answer) : '', saidAt, answer)
        return false
      }
    },
    /** Of a shard that is no more. */
    forget: (tag: string): void => {
      tags.delete(tag)
      marked.delete(tag)
      for (const way of ['data', 'pub'] as const) clear(way, tag)
    },
    /**
     * What else Redis refuses the product on a connection, by a name of its own: its word, or undefined for
     * no more.
     */
    heed: (way: Way, name: string, word: string | undefined, error?: Error): void => {
      if (word === undefined) clear(way, name)
      else note(way, name, word, now(), error)
    },
    /**
     * Whether some shard did not take the last one. In a Redis Cluster one that is being replaced has a
     * moment.
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
