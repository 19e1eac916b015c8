import {
  assertSuitable,
  type Certificates,
  createRedis,
  type MemoryWatch,
  parseRedisUrl,
  type RedisClients,
  RedisUnavailable,
  type Role,
  watchMemory,
} from '@saoma/redis'
import { createExamination, type Examination } from './examination.ts'
import { type Logger, rarely } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Patience } from './patience.ts'

/** The settings of Redis. */
export interface RedisSettings {
  nodeId: string
  redisUrl: string
  /** Certificates for a Redis with TLS. */
  redisCertificates: Certificates
  /** The Redis of the live channels, if it is a different one. */
  redisChannelsUrl?: string
  /** Share of `maxmemory` above which channels take no writes. */
  channelsMemoryShare: number
  redisPrefix: string
  /** How many replicas must have a write before it is acknowledged, and how long they may take. */
  replicas: { count: number; timeoutMs: number }
}

/** Tells whether the channels may write to Redis. */
export interface Room extends Pick<MemoryWatch, 'part'> {
  hasRoom(bytes?: number): boolean
  /** The reasons why not: Redis is nearly full, or it was unavailable at the start and is not suitable. */
  isFull(): boolean
  isUnfit(): boolean
}

/** The Redis clients of a node: one Redis, or one for logins and one for live channels. */
export interface OpenRedis {
  logins: RedisClients
  /** The same as `logins`, unless the channels have a Redis of their own. */
  channels: RedisClients
  isApart: boolean
  /** The room in the Redis of the channels. */
  room: Room
  close(): Promise<void>
}

/** At most one log line about refused writes in this time. */
const QUIET_MS = 10_000
/** How long a start waits for the Redis of the channels. Logins work without it. */
const CHANNELS_WAIT_MS = 5_000

/** The hosts and ports of Redis, without the password. */
export const placeOf = (redisUrl: string): string =>
  parseRedisUrl(redisUrl)
    .hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)
    .join(', ')

/** The error message for an operator whose Redis does not answer. */
export const unreachable = (error: RedisUnavailable, redisUrl: string): string => {
  const why = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return `${error.message}: REDIS_URL names ${placeOf(redisUrl)}${why}`
}

export const openRedis = async (
  config: RedisSettings,
  { metrics, log, patience }: { metrics: Metrics; log: Logger; patience: Patience },
): Promise<OpenRedis> => {
  /**
   * @param of  prefix of the role in names: '' or 'channels:'
   * @param whileOpening  receives the errors until Redis is open, instead of the log
   */
  const open = (
    url: string,
    of: string,
    options: { mayBeAway?: boolean; readyTimeoutMs?: number },
    whileOpening?: (error: Error) => void,
  ) => {
    const client = (role: Role) => `${of}${role}`
    /** Throttled, because a Redis that is nearly full crosses its limit again and again. */
    const refuses = (role: Role) =>
      rarely(QUIET_MS, ({ word, message }: { word: string | undefined; message: string | undefined }) =>
        word === undefined
          ? log.info({ event: 'redis', client: client(role) }, 'Redis takes writes again')
          : log.error({ event: 'redis', client: client(role), refuses: word, message }, 'Redis refuses writes'),
      )
    const refusals = { data: refuses('data'), pub: refuses('pub'), sub: refuses('sub') }
    for (const role of ['data', 'pub', 'sub'] as const) {
      metrics.redisErrors.inc({ client: client(role) }, 0)
      metrics.redisReconnects.inc({ client: client(role) }, 0)
      metrics.redisCommands.zero({ client: client(role), result: 'none' })
    }
    let isOpening = true
    const opened: Promise<RedisClients> = createRedis({
      url,
      certificates: config.redisCertificates,
      prefix: config.redisPrefix,
      replicas: config.replicas,
      name: `saoma-${config.nodeId}${of ? '-channels' : ''}`,
      onEcho: (seconds) => metrics.echoes.observe(seconds),
      onCommand: (role, seconds, replied) =>
        metrics.redisCommands.observe({ client: client(role), result: replied ? 'reply' : 'none' }, seconds),
      onReconnect: (role) => metrics.redisReconnects.inc({ client: client(role) }),
      onRefusal: (role, word, error) => refusals[role]({ word, message: error?.message }),
      onEmptied: () => {
        const message = of
          ? 'the Redis of the channels has lost its data'
          : 'Redis has lost its data: sessions are over'
        log.error({ event: 'redis-emptied', client: client('data') }, `${message}, and live state is read again`)
        void opened.then(({ subscriber }) => subscriber.suspect())
      },
      onError: (error, role) => {
        metrics.redisErrors.inc({ client: client(role) })
        if (isOpening && whileOpening) whileOpening(error)
        else log.warn({ event: 'redis', client: client(role), message: error.message })
      },
      ...options,
    })
    const end = () => {
      isOpening = false
    }
    opened.then(end, end)
    return opened
  }
  const examine = async (redis: RedisClients) => {
    for (const untold of await assertSuitable(redis)) log.warn({ event: 'redis', untold })
  }

  const logins = await patience.until(() => open(config.redisUrl, '', {}, patience.hear))
  await patience.until(() => examine(logins))
  const { redisChannelsUrl: url } = config
  const channels = url ? await open(url, 'channels:', { mayBeAway: true, readyTimeoutMs: CHANNELS_WAIT_MS }) : logins
  let examination: Examination | undefined
  if (url) {
    try {
      await examine(channels)
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      log.error(
        { event: 'redis', client: 'channels' },
        'REDIS_CHANNELS_URL cannot be reached: only logins work for now',
      )
      examination = createExamination(channels.data, () => examine(channels), log)
    }
  }

  const memory = watchMemory(channels.data, {
    share: config.channelsMemoryShare,
    onRoom: (hasRoom) =>
      hasRoom
        ? log.info({ event: 'room', part: memory.part() }, 'the channels take writes again')
        : log.error({ event: 'room', part: memory.part() }, 'Redis is nearly full: the channels take no writes'),
    onUntold: (why) =>
      log.warn({ event: 'room', why }, 'SAOMA_CHANNELS_MEMORY_SHARE has no effect: it is unknown how full Redis is'),
  })
  await memory.look()

  return {
    logins,
    channels,
    isApart: channels !== logins,
    room: {
      part: memory.part,
      // A Redis that was never examined may lose writes.
      hasRoom: (bytes) => memory.hasRoom(bytes) && examination?.isPassed() !== false,
      isFull: () => !memory.hasRoom(),
      isUnfit: () => examination?.isFailed() === true,
    },
    close: async () => {
      examination?.close()
      memory.close()
      await Promise.all([logins.close(), ...(channels === logins ? [] : [channels.close()])])
    },
  }
}
