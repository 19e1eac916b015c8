import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LOGIN_NAMESPACE, type TicketState } from '@saoma/protocol'
import { adapterClient, createRedis } from '@saoma/redis'
import { createTickets } from '@saoma/tickets'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server, type Socket } from 'socket.io'
import { obey } from './child.ts'
import { pushAll } from './pace.ts'
import { type Kind, type NodeAnswer, type NodeOrder, OWNER } from './worker-commands.ts'

/**
 * One node of a cluster under test. Start it as `worker.ts ours|stock <redis url>`. It takes NodeOrders over
 * IPC.
 */
interface Node {
  io: Server
  /** Puts a browser into the ticket's room. Resolves when pushes from other nodes reach it. */
  join(socket: Socket, ticket: string): Promise<unknown>
  /** Resolves when Redis has accepted the push. */
  push(ticket: string): Promise<unknown>
}

/** As in apps/gateway/src/transport/socket/server.ts. The push is the transition itself. */
const createOurs = async (redisUrl: string): Promise<Node> => {
  const redis = await createRedis({ url: redisUrl })
  const tickets = createTickets(redis)
  const io = new Server({
    adapter: createShardedAdapter(redis.pub, adapterClient(redis.subscriber), {
      channelPrefix: redis.keys.prefix,
      subscriptionMode: 'dynamic',
    }),
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
  })
  return {
    io,
    join: async (socket, ticket) => {
      await socket.join(tickets.room(ticket))
      await redis.subscriber.confirmed(tickets.channel(ticket))
    },
    push: async (ticket) => {
      const confirmed = await tickets.confirm(ticket, OWNER)
      if (!confirmed.ok) throw new Error(`the ticket could not be confirmed: ${confirmed.code}`)
    },
  }
}

/** Socket.IO with the classic Redis adapter, all defaults. */
const createStock = async (redisUrl: string): Promise<Node> => {
  const subscriber = new Redis(redisUrl)
  const publisher = new Redis(redisUrl)
  // The adapter drops the promise of its publish. The bench only keeps the last one, to see when Redis has
  // accepted the push.
  let published: Promise<unknown> = Promise.resolve()
  const publish = publisher.publish.bind(publisher)
  const client = Object.assign(publisher, {
    publish: (channel: string, message: string | Buffer) => {
      const pending = publish(channel, message)
      published = pending
      return pending
    },
  })
  const io = new Server({ adapter: createAdapter(client, subscriber) })
  return {
    io,
    join: async (socket, ticket) => socket.join(ticket),
    push: (ticket) => {
      const state: TicketState = { ticket, status: 'confirmed', version: 3, expiresIn: 60 }
      io.of(LOGIN_NAMESPACE).to(ticket).emit('ticket', state)
      return published
    },
  }
}

const serve = async ({ io, join, push }: Node): Promise<void> => {
  io.of(LOGIN_NAMESPACE).on('connection', (socket) => {
    socket.on('join', async (tickets: string[], ack: () => void) => {
      for (const room of socket.rooms) if (room !== socket.id) socket.leave(room)
      await Promise.all(tickets.map((ticket) => join(socket, ticket)))
      ack()
    })
  })
  const http = createServer()
  io.attach(http)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')

  let loaded: readonly string[] = []
  obey<NodeOrder, NodeAnswer>({ did: 'start', port: (http.address() as AddressInfo).port }, async (order) => {
    switch (order.do) {
      case 'load':
        loaded = order.tickets
        return { did: 'load' }
      case 'push':
        await pushAll(loaded, push, order.pace)
        return { did: 'push' }
    }
  })
}

const [kind, redisUrl = ''] = process.argv.slice(2) as [Kind, string]
await serve(await (kind === 'ours' ? createOurs(redisUrl) : createStock(redisUrl)))
