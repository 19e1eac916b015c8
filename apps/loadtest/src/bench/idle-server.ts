import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LOGIN_NAMESPACE } from '@saoma/protocol'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'
import { type WebSocket, WebSocketServer } from 'ws'
import { HEARTBEAT_MS } from './heartbeat.ts'

/**
 * What the gateway is compared with: `idle-server.ts bare` is a WebSocket server that does nothing but ask whether its sockets are alive,
 * `idle-server.ts stock <redis url>` is Socket.IO with its classic Redis adapter, all defaults, each socket in one room.
 * SIGUSR2 collects the garbage (`--expose-gc`) and tells what is left.
 */
const http = createServer()
const [kind, redisUrl = ''] = process.argv.slice(2)

if (kind === 'bare') {
  const silent = new Set<WebSocket>()
  const server = new WebSocketServer({ server: http }).on('connection', (socket) => {
    socket.on('message', () => {})
    socket.on('pong', () => silent.delete(socket))
    socket.on('close', () => silent.delete(socket))
  })
  setInterval(() => {
    for (const socket of silent) socket.terminate()
    for (const socket of server.clients) {
      silent.add(socket)
      socket.ping()
    }
  }, HEARTBEAT_MS)
} else {
  const io = new Server(http, { adapter: createAdapter(new Redis(redisUrl), new Redis(redisUrl)) })
  io.of(LOGIN_NAMESPACE).on('connection', (socket) => {
    socket.on('join', async (room: string, ack: () => void) => {
      await socket.join(room)
      ack()
    })
  })
}

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

process.on('SIGUSR2', () => {
  globalThis.gc?.()
  say({ event: 'collected', heapUsed: process.memoryUsage().heapUsed })
})
process.on('SIGTERM', () => process.exit(0))
http.listen(0, '127.0.0.1', () => say({ event: 'listening', port: (http.address() as AddressInfo).port }))
