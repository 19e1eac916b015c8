import { hash } from 'node:crypto'
import { createRedis } from '@saoma/redis'

/** Makes a used refresh token older by some seconds: its use moves back, and its record expires earlier. */
export const ageRefreshToken = async (redisUrl: string, token: string, seconds: number): Promise<void> => {
  const { data, keys, close } = await createRedis({ url: redisUrl, probeMs: 0 })
  try {
    const key = keys.oidc('RefreshToken', hash('sha256', token, 'base64url'))
    if ((await data.hexists(key, 'consumed')) === 0) throw new Error('this refresh token was not used yet')
    const left = await data.ttl(key)
    if (seconds >= left) return void (await data.unlink(key))
    await data.hincrby(key, 'consumed', -seconds)
    await data.expire(key, left - seconds)
  } finally {
    await close()
  }
}
