import { createServer, request as forward } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { onCleanup } from '@saoma/testing'

export interface StrictProxy {
  origin: string
  /** Lets WebSockets through from now on. */
  allowSockets(): void
}

/** A company's proxy: plain HTTP passes, WebSockets do not until they are allowed. */
export const startStrictProxy = async (target: string): Promise<StrictProxy> => {
  let allowed = false
  const tunnels = new Set<Duplex>()
  const server = createServer((req, res) => {
    const out = forward(new URL(req.url ?? '/', target), { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    out.on('error', () => res.destroy())
    res.on('close', () => out.destroy())
    req.pipe(out)
  })
  server.on('upgrade', (req, socket: Duplex) => {
    if (!allowed) return socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
    const out = forward(new URL(req.url ?? '/', target), { headers: req.headers })
    out.on('upgrade', (answer, upstream, first) => {
      const head = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`)
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head.join('\r\n')}\r\n\r\n`)
      for (const end of [socket, upstream]) {
        tunnels.add(end)
        end.on('error', () => end.destroy())
        end.on('close', () => tunnels.delete(end))
      }
      // The server may have spoken right behind its headers.
      socket.write(first)
      upstream.pipe(socket).pipe(upstream)
    })
    out.on('error', () => socket.destroy())
    out.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onCleanup(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
        for (const tunnel of tunnels) tunnel.destroy()
      }),
  )
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    allowSockets: () => {
      allowed = true
    },
  }
}
