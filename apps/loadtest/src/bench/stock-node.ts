import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'

/**
 * A node of Socket.IO with its classic Redis adapter, all defaults, as in Socket.IO's documentation:
 * `stock-node.ts <redis url>`. Sockets join rooms. Any socket can publish into a room. The node keeps no
 * messages.
 */
const [redisUrl = ''] = process.argv.slice(2)
const http = createServer()
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
