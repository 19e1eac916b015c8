import { setTimeout as delay } from 'node:timers/promises'
import { ticketOf } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import { nodeFlags, onCleanup, startGateway, startRedis } from '@saoma/testing'
import { createTickets } from '@saoma/tickets'
import type { WebSocket } from 'ws'
import { startChild } from './child.ts'
import { openClient } from './client.ts'
import { type Cluster, createCluster } from './cluster.ts'
import { createCodes, scanAll } from './codes.ts'
import { dialogues } from './dialogues.ts'
import { ORIGIN } from './footprint.ts'
import { batches } from './numbers.ts'
import { PACE } from './pace.ts'
import { createReceipts } from './receipts.ts'
import type { NodeAnswer, NodeOrder } from './worker-commands.ts'

const AT_ONCE = 50
/** Lets a node finish with the browsers that come and go between two rounds. */
const QUIET_MS = 1_000

/**
 * The same as `ours`, but all nodes that do not push are real gateways. Their browsers use the door of those
 * who only wait, each with a ticket of its own, as a page does.
 */
export const startLightCluster = async (size: number): Promise<Cluster> => {
  const server = await startRedis()
  const redis = await createRedis({ url: server.url, name: 'bench' })
  const forget = onCleanup(() => redis.close())
  const tickets = createTickets(redis)
  const sender = await startChild<NodeOrder, NodeAnswer>('./worker.ts', ['ours', server.url], nodeFlags)
  const gateways = await Promise.all(
    Array.from({ length: size - 1 }, (_, i) =>
      startGateway({
        redisUrl: server.url,
        nodeId: `bench${i}`,
        origin: ORIGIN,
        env: { SAOMA_LIMIT_HANDSHAKES: '1000000' },
      }),
    ),
  )
  const receiver = gateways[0]
  if (!receiver) throw new RangeError('a push to another node needs two nodes')
  const receipts = createReceipts()
  let browsers: WebSocket[] = []
  const close = () => {
    for (const browser of browsers) browser.terminate()
    browsers = []
  }

  const open = (deviceCode: string) => {
    const ticket = ticketOf(deviceCode)
    return openClient({
      url: receiver.origin,
      origin: ORIGIN,
      dialogue: dialogues.watch(deviceCode),
      onFrame: (frame) => {
        if (frame.includes('"confirmed"')) receipts.take(ticket)
      },
      // Its push is lost with it, and that is noticed.
      onLost: () => {},
    })
  }

  return createCluster({
    nodes: [sender.pid, ...gateways.map(({ pid }) => pid)],
    redis: [server.pid],
    receipts,
    prepare: async (count) => {
      close()
      const codes = await createCodes(tickets, count)
      const ids = await scanAll(tickets, codes.map(ticketOf))
      await sender.ask({ do: 'load', tickets: ids })
      for (const batch of batches(codes, AT_ONCE)) browsers.push(...(await Promise.all(batch.map(open))))
      await delay(QUIET_MS)
      return ids
    },
    push: () => sender.ask({ do: 'push', pace: PACE }),
    stop: async () => {
      close()
      await sender.stop()
      await Promise.all(gateways.map((gateway) => gateway.stop()))
      forget()
      await redis.close()
      await server.stop()
    },
  })
}
