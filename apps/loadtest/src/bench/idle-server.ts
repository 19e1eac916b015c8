import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LOGIN_NAMESPACE } from '@saoma/protocol'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'
import { WebSocket, WebSocketServer } from 'ws'
import { HEARTBEAT_MS } from './heartbeat.ts'

/**
 * Servers to compare the gateway with. `idle-server.ts bare` is a WebSocket server that only checks whether
 * its sockets are alive. `idle-server.ts stock <redis url>` is Socket.IO with its classic Redis adapter, all
 * defaults, with each socket in one room. On SIGUSR2 the server collects its garbage (`--expose-gc`) and
 * reports the memory in use.
 */
const http = createServer()
const [kind, redisUrl = ''] = process.argv.slice(2)

if (kind === 'bare') {
  class Client extends WebSocket {
    isAlive = true
  }
  const server = new WebSocketServer({ server: http, WebSocket: Client }).on('connection', (client) => {
    client.on('message', () => {})
    client.on('pong', () => {
      client.isAlive = true
    })
  })
  setInterval(() => {
    for (const client of server.clients) {
      if (client.isAlive) client.ping()
      else client.terminate()
      client.isAlive = false
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
