import { setTimeout as delay } from 'node:timers/promises'
import { withRedis } from '../store.ts'
import type { Fault, Scene } from './scene.ts'

const nodeOf = ({ nodes, turn }: Scene) => {
  const node = nodes[turn % nodes.length]
  if (!node) throw new Error('the cluster has no node')
  return node
}

/** Stops a node and starts it again. The nodes take turns. */
const takeAway =
  (signal: 'SIGKILL' | 'SIGTERM'): Fault =>
  async (scene) => {
    const node = nodeOf(scene)
    await node.kill(signal)
    await delay(scene.downMs)
    await node.restart()
    return `node ${node.id}`
  }

export const kill = takeAway('SIGKILL')
export const drain = takeAway('SIGTERM')

/** Cuts the nodes' subscriber connections only. The fault ends at once. */
export const subscriber: Fault = async ({ store }) => {
  const cuts = await Promise.all(
    store.servers.map((server) =>
      withRedis(server, async (redis) => Number(await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'))),
    ),
  )
  const cut = cuts.reduce((sum, count) => sum + count, 0)
  if (cut === 0) throw new Error('no node had a subscriber connection to cut')
  return `${cut} connections`
}
