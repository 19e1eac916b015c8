import { fileURLToPath } from 'node:url'
import { startProcess, startRedis, testApiKey } from '@saoma/testing'
import type { System } from './cluster-under-test.ts'
import { openPublisher } from './publisher.ts'

/** Socket.IO with its classic Redis adapter, all defaults. The backend has a socket and an API key. */
export const startStock = async (size: number): Promise<System> => {
  const redis = await startRedis()
  const nodes = await Promise.all(
    Array.from({ length: size }, async () => {
      const node = await startProcess({
        name: 'stock node',
        command: process.execPath,
        args: [fileURLToPath(new URL('./stock-node.ts', import.meta.url)), redis.url, testApiKey],
      })
      const { json } = await node.nextLine((line) => line.json?.event === 'listening')
      return { node, url: `http://127.0.0.1:${json?.port}` }
    }),
  )
  const urls = nodes.map(({ url }) => url)
  const publisher = await openPublisher(urls[0] ?? '')

  return {
    urls,
    nodes: nodes.map(({ node }) => node.pid),
    redis: [redis.pid],
    publish: async (channel, data) => {
      await publisher.emit('publish', channel, data)
    },
    stop: async () => {
      publisher.close()
      await Promise.all(nodes.map(({ node }) => node.stop()))
      await redis.stop()
    },
  }
}
