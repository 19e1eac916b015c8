import { randomBytes, randomUUID } from 'node:crypto'
import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, until } from '@saoma/testing'
import { createPool, type Lease, type Pool, type PooledCode, type PooledImage, type PoolOptions } from '../src/index.ts'

export const APPID = 'wx0000000000000001'

export const uniquePrefix = () => `test-${randomUUID()}`

/** One node's clients, closed at the end of the file. */
export const openRedis = async (url: string, prefix = uniquePrefix()): Promise<RedisClients> => {
  const redis = await createRedis({ url, prefix })
  onCleanup(() => redis.close())
  return redis
}

export const drawScene = () => randomBytes(18).toString('base64url')
export const drawTicketId = () => randomBytes(16).toString('base64url')

/** The first bytes of a JPEG. */
export const picture = Buffer.from('ffd8ff00ff', 'hex')
export const imageOf = (scene: string): PooledImage => ({ key: `${scene}.jpg`, type: 'image/jpeg', sha256: 'abc=' })

/** Codes that nobody has seen. */
export const addCodes = async (pool: Pool, count: number): Promise<string[]> => {
  const scenes = Array.from({ length: count }, drawScene)
  await Promise.all(scenes.map((scene) => pool.add(scene, imageOf(scene))))
  return scenes
}

export const listOf = async (pool: Pool): Promise<PooledCode[]> => {
  const codes: PooledCode[] = []
  for await (const code of pool.list()) codes.push(code)
  return codes
}

/** Milliseconds that no test lives to see. */
export const LONG = 600_000

/** A pool of its own, seen by two nodes. */
export const openPool = async (url: string, options: Partial<PoolOptions> = {}) => {
  const prefix = uniquePrefix()
  const [redis, otherRedis] = await Promise.all([openRedis(url, prefix), openRedis(url, prefix)])
  const settings = { appid: APPID, quarantineMs: LONG, ...options }
  const masters = 'nodes' in redis.data ? redis.data.nodes('master') : [redis.data]
  return {
    redis,
    pool: createPool(redis, settings),
    elsewhere: createPool(otherRedis, settings),
    /** The same pool with other settings. */
    again: (other: Partial<PoolOptions>) => createPool(redis, { ...settings, ...other }),
    /** Every key of it. */
    keys: async () => (await Promise.all(masters.map((node) => node.keys(`${prefix}*`)))).flat(),
  }
}

export const leaseOf = async (pool: Pool, ticket = drawTicketId(), leaseMs = LONG): Promise<Lease> => {
  const lease = await pool.lease(ticket, leaseMs)
  if (!lease) throw new Error('there was no code to lease')
  return lease
}

/** A lease that is over. */
export const spend = async (pool: Pool): Promise<Lease> => {
  const lease = await leaseOf(pool, drawTicketId(), 1)
  await until(
    () => listOf(pool),
    (codes) => !codes.some(({ scene, status }) => scene === lease.scene && status === 'leased'),
  )
  return lease
}

export const untilRested = (pool: Pool, count = 1) =>
  until(
    () => pool.stock(),
    ({ rested }) => rested === count,
  )

/** Takes the only code of a pool to the lease with that epoch. */
export const takeTo = async (pool: Pool, epoch: number, ticket: string): Promise<Lease> => {
  for (let i = 1; i < epoch; i++) {
    await spend(pool)
    await untilRested(pool)
  }
  return leaseOf(pool, ticket)
}
