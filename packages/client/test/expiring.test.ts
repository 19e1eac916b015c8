import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { Server } from 'socket.io'
import { openLive } from './visitor.ts'

test('a server that reports the same expiring token repeatedly gets a new one once', async () => {
  const http = createServer()
  const io = new Server(http)
  onCleanup(() => io.close())
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const connections: (() => void)[] = []
  const twice = new Promise<void>((resolve) => {
    connections.push(() => {}, resolve)
  })
  io.on('connection', (socket) => {
    connections.shift()?.()
    if (connections.length === 0) return
    socket.on('refresh', (_, ack) => {
      ack({ ok: true, expiresIn: 45 })
      for (let i = 0; i < 50; i++) socket.emit('expiring', { expiresIn: 45 })
      // When it is back it has heard all of them.
      socket.conn.close()
    })
    socket.emit('expiring', { expiresIn: 45 })
  })
  let renewals = 0
  const { live } = openLive({
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    transports: ['websocket'],
    random: () => 0,
    doors: ['socket'],
    token: ({ renew }) => {
      if (renew) renewals++
      return 'a token'
    },
  })
  await twice
  expect(renewals).toBe(1)
  live.close()
})
