import { randomUUID } from 'node:crypto'
import { createSeal, type RedisClients } from '@saoma/redis'
import { scripts } from './scripts.ts'

/** WeChat renews a stable token in its last 300 seconds. Before that it returns the same token. */
export const AHEAD_MS = 300_000

/** WeChat ignores a force_refresh within 30 seconds of the last one; one more second for the network. */
const FORCE_GAP_MS = 31_000
const FORCED_PER_DAY = 20
const DAY_MS = 24 * 3_600_000

/** An access token from Redis. */
export interface SharedToken {
  token: string
  /** Its encrypted form, by which Redis can compare it. Empty if it was never in Redis. */
  value: string
  /** Milliseconds. */
  leftMs: number
}

/** The right to fetch. Other nodes wait until it is settled or expires. */
export interface Turn {
  /** Whether a refresh may be forced now. If so, it is counted. */
  mayForce(): Promise<boolean>
  /** Shares the fetched token, if any, and lets other nodes claim. Resolves with its encrypted form. */
  settle(token?: string, lifeMs?: number): Promise<string>
}

export interface Claimed {
  /** The encrypted token in Redis, whether we can decrypt it or not; empty if there is none. */
  value: string
  shared?: SharedToken
  /** Set if the caller has to fetch. */
  turn?: Turn
}

/**
 * The cluster's access token in Redis. Every call rejects with RedisUnavailable when Redis is unavailable.
 */
export const createSharedToken = (redis: RedisClients, appid: string, secret: string, lockMs: number) => {
  // Encrypted with the app secret, which every node has. So a copy of Redis's memory or disk gives no access
  // to the app's WeChat account, and a node with another secret cannot use this token.
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

  /** @param refused  a value that must not be returned again; empty for none */
  return async (refused: string): Promise<Claimed> => {
    const holder = randomUUID()
    const { verdict, value, leftMs } = await scripts.claim(
      redis.data,
      [token, lock],
      [holder, lockMs, AHEAD_MS, refused],
    )
    // A version before this one wrote it in another form.
    const opened = value ? await seal.open(value).catch(() => undefined) : undefined
    return {
      value,
      ...(opened ? { shared: { token: opened, value, leftMs } } : {}),
      ...(verdict === 'FETCH' ? { turn: turnOf(holder) } : {}),
    }
  }
}
