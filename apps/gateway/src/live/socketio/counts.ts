import { LOGIN_NAMESPACE } from '@saoma/protocol'
import type { Server } from 'socket.io'

/** Sockets of all namespaces. */
export const socketsOf = (io: Server) => ['/', LOGIN_NAMESPACE].flatMap((name) => [...io.of(name).sockets.values()])

/** Open sockets by namespace and transport, counted on demand. */
export const countSockets = (io: Server): { nsp: string; transport: string; sockets: number }[] => {
  const counts = new Map<string, number>()
  for (const { conn, nsp } of socketsOf(io)) {
    const key = `${nsp.name} ${conn.transport.name}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts].map(([key, sockets]) => {
    const [nsp = '', transport = ''] = key.split(' ')
    return { nsp, transport, sockets }
  })
}
