import { randomUUID } from 'node:crypto'
import { createSeal, type RedisClients } from '@saoma/redis'
import { scripts } from './scripts.ts'

/** WeChat renews a stable token in its last 300 seconds; asked earlier it gives the same one again. */
export const AHEAD_MS = 300_000

/** WeChat ignores a force_refresh within 30 seconds of the last; one more for the way there. */
const FORCE_GAP_MS = 31_000
const FORCED_PER_DAY = 20
const DAY_MS = 24 * 3_600_000

/** An access token as it lies in Redis. */
export interface SharedToken {
  token: string
  /** Its encrypted form, by which Redis can tell it from another; empty if it never was in Redis. */
  value: string
  /** Milliseconds. */
  leftMs: number
}

/** The right to fetch, which others wait for until it is settled or runs out. */
export interface Turn {
  /** Whether WeChat may be asked for a forced refresh now; counts it if so. */
  mayForce(): Promise<boolean>
  /** Shares the fetched token, if there is one, and lets others claim. Resolves with its encrypted form. */
  settle(token?: string, lifeMs?: number): Promise<string>
}

export interface Claimed {
  /** What lies in Redis, whether we can read it or not; empty for nothing. */
  value: string
  shared?: SharedToken
  /** Set for the one that is to fetch. */
  turn?: Turn
}

/**
 * The cluster's access token in Redis. Every call rejects with RedisUnavailable when Redis cannot be asked.
 */
export const createSharedToken = (redis: RedisClients, appid: string, secret: string, lockMs: number) => {
  // Every node has the app secret anyway. A copy of Redis's memory or disk is then no key to the app's WeChat
  // account, and a node with another secret does not use a token that its secret cannot get.
  const seal = createSeal({ secrets: [secret], owner: appid, purpose: 'saoma wechat access token' })
  const token = redis.keys.wechatToken(appid)
  const lock = redis.keys.wechatTokenLock(appid)
  const forced = redis.keys.wechatForced(appid)

  const turnOf = (holder: string): Turn => ({
    mayForce: () => scripts.force(redis.data, [forced, lock], [holder, lockMs, FORCE_GAP_MS, FORCED_PER_DAY, DAY_MS]),
    settle: async (fetched = '', lifeMs = 0) => {
      const value = fetched && (await seal.close(fetched))
      await scripts.settle(redis.data, [token, lock], [holder, value, lifeMs])
      return value
    },
  })

  /** @param refused  a value that must not be handed out again; empty for none */
  return async (refused: string): Promise<Claimed> => {
    const holder = randomUUID()
    const { verdict, value, leftMs } = await scripts.claim(
      redis.data,
      [token, lock],
      [holder, lockMs, AHEAD_MS, refused],
    )
    const opened = value ? await seal.open(value) : undefined
    return {
      value,
      ...(opened ? { shared: { token: opened, value, leftMs } } : {}),
      ...(verdict === 'FETCH' ? { turn: turnOf(holder) } : {}),
    }
  }
}
