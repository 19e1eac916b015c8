import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, startRedis } from '@saoma/testing'

/** Clients of a Redis of their own. Both end after the tests of the file. */
export const openRedis = async (): Promise<RedisClients> => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url })
  onCleanup(() => redis.close())
  return redis
}
