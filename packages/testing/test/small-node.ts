import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type NginxOptions, onCleanup, request, startNginx } from '@saoma/testing'

export interface Node {
  id: string
  port: number
  /** Requests that reached it. */
  seen: IncomingMessage[]
}

const json: RequestListener = (_, response) => response.setHeader('content-type', 'application/json')

/**
 * A small real server that answers with its own id and the headers it saw, unless told otherwise. Upgraded,
 * it says hello and ends, or not.
 */
export const startNode = async (
  id: string,
  listener: RequestListener = json,
  { keepsSockets = false }: { keepsSockets?: boolean } = {},
): Promise<Node> => {
  const seen: IncomingMessage[] = []
  const sockets = new Set<Duplex>()
  const server = createServer((incoming, response) => {
    seen.push(incoming)
    incoming.resume()
    listener(incoming, response)
    if (!response.writableEnded && !response.destroyed && listener === json)
      response.end(JSON.stringify({ id, headers: incoming.headers }))
  })
  server.on('upgrade', (incoming, socket) => {
    seen.push(incoming)
    socket.on('error', () => {})
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello from ${id}`,
    )
    if (!keepsSockets) return socket.end()
    sockets.add(socket)
    socket.once('end', () => socket.end())
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    server.close()
    server.closeAllConnections()
    for (const socket of sockets) socket.destroy()
  })
  return { id, port: (server.address() as AddressInfo).port, seen }
}

export const start = async (nodes: Pick<Node, 'id' | 'port'>[], options: Partial<NginxOptions> = {}) => {
  const nginx = await startNginx({ nodes, ...options })
  const ask = (path: string, init: Parameters<typeof request>[1] = {}) =>
    request<{ id: string; headers: Record<string, string> }>(nginx.origin + path, { timeoutMs: 10_000, ...init })
  return { nginx, ask }
}
