import { randomBytes } from 'node:crypto'
import { onCleanup } from '@saoma/testing'
import { Redis } from 'ioredis'
import { UsageError } from './usage-error.ts'
import type { Said, Told } from './worker-messages.ts'

/** A stream of messages in Redis. A late reader misses nothing. */
export interface Talk<T> {
  write(message: T): Promise<void>
  /** The next message; undefined if none arrives within `timeoutMs`. */
  next(timeoutMs: number): Promise<T | undefined>
}

/** The meeting place of a run's leader and workers, on any machine. */
export interface Meeting {
  /** The run and its leader. Another process needs this to join. */
  readonly place: string
  readonly redis: Redis
  /** Leader to workers. */
  readonly told: Talk<Told>
  /** Workers to leader. */
  readonly said: Talk<Said>
  close(): void
}

/** Keys of a killed run expire after this time. */
const KEPT_SECONDS = 3_600
const MOST_KEPT = 50_000
/** A leader that is silent for this long counts as lost. */
const LEADER_MS = 15_000
const LEADER_BEAT_MS = 5_000
const CONNECT_MS = 5_000
const READ_AT_ONCE = 200

const connect = async (url: string): Promise<Redis> => {
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null, connectTimeout: CONNECT_MS })
  let reason = ''
  redis.on('error', (error: Error) => {
    reason = error.message
  })
  const timer = setTimeout(() => redis.disconnect(), CONNECT_MS)
  try {
    await redis.connect()
  } catch {
    redis.disconnect()
    throw new UsageError(`the coordinator ${new URL(url).host} cannot be reached: ${reason || 'no answer in time'}`)
  } finally {
    clearTimeout(timer)
  }
  return redis
}

const openTalk = <T>(redis: Redis, reader: Redis, key: string): Talk<T> => {
  let last = '0'
  const waiting: T[] = []
  return {
    write: async (message) => {
      await redis
        .multi()
        .xadd(key, 'MAXLEN', '~', MOST_KEPT, '*', 'json', JSON.stringify(message))
        .expire(key, KEPT_SECONDS)
        .exec()
    },
    next: async (timeoutMs) => {
      if (waiting.length === 0) {
        const block = Math.max(1, Math.ceil(timeoutMs))
        const answer = await reader.xread('COUNT', READ_AT_ONCE, 'BLOCK', block, 'STREAMS', key, last)
        for (const [id, [, json = '']] of answer?.[0]?.[1] ?? []) {
          last = id
          waiting.push(JSON.parse(json))
        }
      }
      return waiting.shift()
    },
  }
}

const leaderKey = (run: string) => `saoma-load:${run}:leader`

/** Joins a known meeting. */
export const enterMeeting = async (url: string, place: string): Promise<Meeting> => {
  // Three connections, because one that waits for a stream can do nothing else.
  const [redis, told, said] = await Promise.all([connect(url), connect(url), connect(url)])
  const close = () => {
    forget()
    for (const each of [redis, told, said]) each.disconnect()
  }
  const forget = onCleanup(close)
  return {
    place,
    redis,
    told: openTalk<Told>(redis, told, `saoma-load:${place}:told`),
    said: openTalk<Said>(redis, said, `saoma-load:${place}:said`),
    close,
  }
}

/** The first process of a run becomes its leader. */
export const openMeeting = async (
  url: string,
  run: string,
): Promise<{ meeting: Meeting; leads: boolean; hasLeader(): Promise<boolean> }> => {
  const redis = await connect(url)
  const mine = `${run}:${randomBytes(6).toString('hex')}`
  const leads = (await redis.set(leaderKey(run), mine, 'PX', LEADER_MS, 'NX')) === 'OK'
  const place = leads ? mine : ((await redis.get(leaderKey(run))) ?? mine)
  const beat = setInterval(() => {
    if (leads) redis.set(leaderKey(run), mine, 'PX', LEADER_MS).catch(() => {})
  }, LEADER_BEAT_MS)
  const meeting = await enterMeeting(url, place)
  const close = () => {
    forget()
    clearInterval(beat)
    // Another run of this name may begin at once. The streams stay for machines that have not read the end.
    if (leads) redis.del(leaderKey(run)).catch(() => {})
    redis.quit().catch(() => {})
    meeting.close()
  }
  const forget = onCleanup(close)
  return {
    meeting: { ...meeting, close },
    leads,
    hasLeader: async () => (await redis.get(leaderKey(run))) === place,
  }
}
