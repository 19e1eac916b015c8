import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onCleanup } from './cleanup.ts'

/**
 * One address for several servers, like a Kubernetes Service: each connection goes to a random ready server.
 */
export interface Service {
  /** The `host:port` on which it listens. */
  readonly address: string
  /** Sets the ready servers, as `host:port`. Existing connections stay. */
  set(backends: readonly string[]): void
}

export const startService = async (backends: readonly string[] = []): Promise<Service> => {
  let ready = backends
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // `close` follows.
    socket.on('error', () => {})
    return socket
  }
  const server = createServer((client) => {
    keep(client)
    const [host, port] = ready[Math.floor(Math.random() * ready.length)]?.split(':') ?? []
    // No server is ready: refuse the connection.
    if (!host || !port) return client.resetAndDestroy()
    const backend = keep(connect(Number(port), host))
    client.pipe(backend).pipe(client)
    client.once('close', () => backend.destroy())
    backend.once('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    set: (backends) => {
      ready = backends
    },
  }
}
