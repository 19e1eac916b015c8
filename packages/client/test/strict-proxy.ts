import { createServer, request as forward, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, Transform } from 'node:stream'
import { onCleanup } from '@saoma/testing'

export interface StrictProxy {
  origin: string
  /** Lets WebSockets through from now on. */
  allowSockets(): void
  /** Lets no WebSocket through from now on, and cuts those there are. */
  refuseSockets(): void
  /**
   * From now on event streams are kept back until they end, as by a proxy that buffers; those there are get
   * cut.
   */
  holdStreams(): void
  /** Cuts every connection there is, and the next request, which may be what follows a poll. */
  cut(): void
  /** The sockets of now stay open and carry nothing any more, as after a change of networks. */
  freeze(): void
  /**
   * Loses the next piece that the server sends by socket or stream and that holds this text. Resolves when it
   * is lost.
   */
  lose(text: string): Promise<void>
  /** Keeps what the server sends until this text is in it, and sends all of that as one piece. */
  gather(text: string): void
}

/** A company's proxy: plain HTTP passes, WebSockets do not until they are allowed. */
export const startStrictProxy = async (target: string): Promise<StrictProxy> => {
  let allowed = false
  let holding = false
  let cutting = false
  let losing: { text: string; done: () => void } | undefined
  let gathering: { text: string; pieces: Buffer[] } | undefined
  /** What becomes of a piece: the bytes to send now, if any. */
  const sift = (piece: Buffer): Buffer | undefined => {
    if (losing && piece.includes(losing.text)) {
      losing.done()
      losing = undefined
      return undefined
    }
    if (!gathering) return piece
    gathering.pieces.push(piece)
    const { text, pieces } = gathering
    const all = Buffer.concat(pieces)
    if (!all.includes(text)) return undefined
    gathering = undefined
    return all
  }
  /** One for each way from the server to the client. */
  const createSieve = () => new Transform({ transform: (piece: Buffer, _encoding, pass) => pass(null, sift(piece)) })
  const streams = new Set<ServerResponse>()
  const tunnels = new Set<Duplex>()
  const server = createServer((req, res) => {
    if (cutting) {
      cutting = false
      return void res.destroy()
    }
    const out = forward(new URL(req.url ?? '/', target), { method: req.method, headers: req.headers }, (answer) => {
      if (answer.headers['content-type']?.startsWith('text/event-stream')) {
        if (holding) return void answer.resume()
        streams.add(res)
        res.on('close', () => streams.delete(res))
      }
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(createSieve()).pipe(res)
    })
    out.on('error', () => res.destroy())
    res.on('close', () => out.destroy())
    req.pipe(out)
  })
  server.on('upgrade', (req, socket: Duplex) => {
    // Before anything else: a client may reset at any moment, and nobody else listens to this socket.
    socket.on('error', () => socket.destroy())
    if (!allowed) return socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
    const out = forward(new URL(req.url ?? '/', target), { headers: req.headers })
    out.on('upgrade', (answer, upstream, first) => {
      upstream.on('error', () => upstream.destroy())
      const head = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`)
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head.join('\r\n')}\r\n\r\n`)
      for (const end of [socket, upstream]) {
        tunnels.add(end)
        end.on('close', () => tunnels.delete(end))
      }
      // The server may have spoken right behind its headers.
      socket.write(first)
      upstream.pipe(createSieve()).pipe(socket).pipe(upstream)
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
        cutSockets()
      }),
  )
  const cutSockets = () => {
    for (const tunnel of tunnels) tunnel.destroy()
  }
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    allowSockets: () => {
      allowed = true
    },
    refuseSockets: () => {
      allowed = false
      cutSockets()
    },
    holdStreams: () => {
      holding = true
      for (const stream of streams) stream.destroy()
    },
    freeze: () => {
      for (const tunnel of tunnels) tunnel.unpipe().pause()
    },
    lose: (text) =>
      new Promise((done) => {
        losing = { text, done }
      }),
    gather: (text) => {
      gathering = { text, pieces: [] }
    },
    cut: () => {
      cutting = true
      cutSockets()
      server.closeAllConnections()
    },
  }
}
