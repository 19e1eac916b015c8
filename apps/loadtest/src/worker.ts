import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LOGIN_NAMESPACE, type TicketState } from '@saoma/protocol'
import { adapterClient, createRedis } from '@saoma/redis'
import { createTickets } from '@saoma/tickets'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server, type Socket } from 'socket.io'
import type { Answer, Kind, Order, Pace } from './orders.ts'
import { owner } from './owner.ts'

/** One node of a cluster under test. Started as `worker.ts ours|stock <redis url>`, ordered about over IPC. */
interface Node {
  io: Server
  /** Puts a browser into the ticket's room; resolves when pushes from other nodes reach it. */
  join(socket: Socket, ticket: string): Promise<unknown>
  /** Resolves when Redis has taken it. */
  push(ticket: string): Promise<unknown>
}

const TICK_MS = 1

/** As in apps/gateway/src/io/server.ts; the push is the transition itself. */
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
      const confirmed = await tickets.confirm(ticket, owner)
      if (!confirmed.ok) throw new Error(`the ticket could not be confirmed: ${confirmed.code}`)
    },
  }
}

/** Socket.IO with the classic Redis adapter, all defaults. */
const createStock = async (redisUrl: string): Promise<Node> => {
  const subscriber = new Redis(redisUrl)
  const publisher = new Redis(redisUrl)
  // The adapter drops the promise of its publish. Keeping the last one is all we add: it tells when Redis has taken the push.
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

/** Begins pushes evenly over time, so that they are not bundled into fewer and cheaper writes than a cluster under normal load makes. */
const pushAll = (tickets: readonly string[], push: Node['push'], { perSecond, inFlight }: Pace): Promise<void> =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now()
    let begun = 0
    let taken = 0
    const onTaken = () => {
      taken++
      if (taken === tickets.length) settle(resolve)
    }
    const step = () => {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1
      for (let ticket = tickets[begun]; ticket && begun < due && begun - taken < inFlight; ticket = tickets[begun]) {
        begun++
        push(ticket).then(onTaken, (error) => settle(() => reject(error)))
      }
    }
    const timer = setInterval(step, TICK_MS)
    const settle = (act: () => void) => {
      clearInterval(timer)
      act()
    }
    if (tickets.length === 0) settle(resolve)
  })

const say = (answer: Answer) => process.send?.(answer)

const serve = (node: Node): void => {
  let loaded: readonly string[] = []
  const obey = async (order: Order): Promise<Answer> => {
    switch (order.do) {
      case 'load':
        loaded = order.tickets
        return { did: 'load' }
      case 'usage': {
        const { user, system } = process.cpuUsage()
        return { did: 'usage', microseconds: user + system }
      }
      case 'push':
        await pushAll(loaded, node.push, order)
        return { did: 'push' }
    }
  }
  node.io.of(LOGIN_NAMESPACE).on('connection', (socket) => {
    socket.on('join', async (tickets: string[], ack: () => void) => {
      await Promise.all(tickets.map((ticket) => node.join(socket, ticket)))
      ack()
    })
  })
  process.on('message', (order: Order) => {
    obey(order).then(say, (error: unknown) => say({ did: 'fail', message: String(error) }))
  })
  const http = createServer()
  node.io.attach(http)
  http.listen(0, '127.0.0.1', () => say({ did: 'start', port: (http.address() as AddressInfo).port }))
}

// Whoever started us is gone, or done with us. Ctrl-C reaches the whole group: the one who started us decides.
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})

const [kind, redisUrl = ''] = process.argv.slice(2) as [Kind, string]
serve(await (kind === 'ours' ? createOurs(redisUrl) : createStock(redisUrl)))
