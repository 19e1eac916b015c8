import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onCleanup } from './cleanup.ts'

/**
 * One address for many servers, as a Service of Kubernetes is: each connection goes to one of those that are
 * ready, at random.
 */
export interface Service {
  /** `host:port` where it listens. */
  readonly address: string
  /** Which servers are ready from now on, as `host:port`. Connections that exist stay. */
  set(backends: readonly string[]): void
}

export const startService = async (backends: readonly string[] = []): Promise<Service> => {
  let ready = backends
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // Told as a close as well.
    socket.on('error', () => {})
    return socket
  }
  const server = createServer((client) => {
    keep(client)
    const [host, port] = ready[Math.floor(Math.random() * ready.length)]?.split(':') ?? []
    // Nobody is ready: a connection is refused.
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
