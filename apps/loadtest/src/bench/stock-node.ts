import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import Koa from 'koa'
import { Server } from 'socket.io'

/**
 * A node of Socket.IO with its classic Redis adapter, all defaults, as in Socket.IO's documentation:
 * `stock-node.ts <redis url> <api key>`. Sockets join rooms. Any socket can publish into a room, and so can a
 * backend with the key, over HTTP. The node keeps no messages.
 */
const [redisUrl = '', apiKey = ''] = process.argv.slice(2)

/** The least that such a route does: a router, limits or a log would cost more. */
const app = new Koa()
app.use(async (ctx) => {
  if (ctx.method !== 'POST' || ctx.path !== '/publish') return
  if (ctx.get('Authorization') !== `Bearer ${apiKey}`) ctx.throw(401)
  const { room, data } = (await json(ctx.req)) as { room: string; data: unknown }
  io.to(room).emit('message', data)
  ctx.body = { ok: true }
})

// Keeps the connections of a backend as long as the gateway does.
const http = createServer({ keepAliveTimeout: 75_000 }, app.callback())
const io = new Server(http, { adapter: createAdapter(new Redis(redisUrl), new Redis(redisUrl)) })

io.on('connection', (socket) => {
  socket.on('join', async (room: string, ack: () => void) => {
    await socket.join(room)
    ack()
  })
  socket.on('publish', (room: string, data: unknown, ack: () => void) => {
    io.to(room).emit('message', data)
    ack()
  })
})

process.on('SIGTERM', () => process.exit(0))
http.listen(0, '127.0.0.1', () => {
  const { port } = http.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ event: 'listening', port })}\n`)
})
