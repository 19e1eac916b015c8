import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { createGzip } from 'node:zlib'
import { onCleanup } from '@saoma/testing'

/** Servers in front of a cluster that tests of the doctor ask. */

/** The directives of docs/front.md, in front of `inside`. `over` replaces some, by their first words. */
export const passOn = (inside: string, over: Readonly<Record<string, string>> = {}): string => {
  const directives: Record<string, string> = {
    proxy_pass: inside,
    proxy_http_version: '1.1',
    'proxy_set_header Host': '$http_host',
    'proxy_set_header X-Forwarded-For': '$proxy_add_x_forwarded_for',
    'proxy_set_header X-Forwarded-Proto': '$scheme',
    'proxy_set_header Upgrade': '$http_upgrade',
    'proxy_set_header Connection': '$connection_upgrade',
    proxy_request_buffering: 'off',
    proxy_buffering: 'off',
    proxy_read_timeout: '75s',
    ...over,
  }
  const lines = Object.entries(directives).map(([name, value]) => `${name} ${value};`)
  return `location / { ${lines.join(' ')} }`
}

/** The `map` that these directives need. */
export const UPGRADE_MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"

const listening = async (server: Server | ReturnType<typeof createTcpServer>, port: number): Promise<string> => {
  server.listen(port, '127.0.0.1')
  onCleanup(() => void server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A server that takes connections and says nothing. */
export const startStalled = (): Promise<string> => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    onCleanup(() => void socket.destroy())
  })
  return listening(server, 0)
}

export interface HoardingOptions {
  inside: string
  port: number
  /** `pack`: it compresses without flushing. `rest`: it passes the first event on and keeps what follows. */
  keeps: 'pack' | 'rest'
}

/** A proxy that keeps bytes until the answer is over, as some frameworks and CDNs do. */
export const startHoarding = ({ inside, port, keeps }: HoardingOptions): Promise<string> => {
  const { hostname, port: to } = new URL(inside)
  const server = createServer((req, res) => {
    const { method, url, headers } = req
    const passed = request({ host: hostname, port: to, method, path: url, headers }, (answer) => {
      const isPacked = keeps === 'pack' && /\bgzip\b/.test(String(headers['accept-encoding']))
      const { 'content-length': _, ...rest } = answer.headers
      res.writeHead(answer.statusCode ?? 500, isPacked ? { ...rest, 'content-encoding': 'gzip' } : rest)
      res.flushHeaders()
      answer.on('error', () => res.destroy())
      if (isPacked) return answer.pipe(createGzip()).pipe(res)
      if (keeps === 'pack') return answer.pipe(res)
      const kept: Buffer[] = []
      let isOpen = true
      answer.on('data', (chunk: Buffer) => {
        if (!isOpen) return kept.push(chunk)
        res.write(chunk)
        // What comes in the same moment is still part of the first event.
        if (chunk.includes('event: ')) isOpen = false
      })
      answer.on('end', () => res.end(Buffer.concat(kept)))
    })
    passed.on('error', () => res.destroy())
    res.on('close', () => passed.destroy())
    req.pipe(passed)
  })
  return listening(server, port)
}
