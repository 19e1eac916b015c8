import { createRedis } from '@saoma/redis'
import { nodeFlags, onCleanup, startRedis } from '@saoma/testing'
import { createTickets } from '@saoma/tickets'
import { openBrowsers } from './browsers.ts'
import { type Child, startChild } from './child.ts'
import { type Cluster, createCluster } from './cluster.ts'
import { createNames, createScanned } from './codes.ts'
import { PACE } from './pace.ts'
import { createReceipts } from './receipts.ts'
import type { Kind, NodeAnswer, NodeOrder } from './worker-commands.ts'

/** Browsers of the receiving node share the rooms of a run. The other browsers only wait. */
const BROWSERS_PER_NODE = 100
const [SENDER, RECEIVER] = [0, 1]

/** Nodes of worker.ts, with browsers that wait for the confirmation of a login. */
export const startConfirmCluster = async (kind: Kind, size: number): Promise<Cluster> => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url, name: 'bench' })
  const forget = onCleanup(() => redis.close())
  const tickets = createTickets(redis)
  const flags = kind === 'ours' ? nodeFlags : []
  const nodes: Child<NodeOrder, NodeAnswer>[] = await Promise.all(
    Array.from({ length: size }, () => startChild<NodeOrder, NodeAnswer>('./worker.ts', [kind, server.url], flags)),
  )
  const sender = nodes[SENDER]
  if (!sender || size <= RECEIVER) throw new RangeError('a push to another node needs two nodes')
  const receipts = createReceipts()
  const urls = nodes.map(({ started }) => `http://127.0.0.1:${started.port}`)
  const browsers = await openBrowsers(urls, BROWSERS_PER_NODE, receipts)

  return createCluster({
    nodes: nodes.map(({ pid }) => pid),
    redis: [server.pid],
    receipts,
    prepare: async (count) => {
      const names = kind === 'ours' ? await createScanned(tickets, count) : createNames(count)
      await sender.ask({ do: 'load', tickets: names })
      await browsers.wait(RECEIVER, names)
      return names
    },
    push: () => sender.ask({ do: 'push', pace: PACE }),
    stop: async () => {
      browsers.close()
      await Promise.all(nodes.map((node) => node.stop()))
      forget()
      await redis.close()
      await server.stop()
    },
  })
}
