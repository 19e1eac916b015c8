import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { onCleanup } from '@saoma/testing'

/** Of so many publishes the first is acknowledged by the way itself and goes no further. */
const LIES_EVERY = 3

/** A way to a cluster that swallows messages and says that they were taken. */
export const startLyingWay = async (origin: string): Promise<{ url: string; lies(): number }> => {
  const { port } = new URL(origin)
  let published = 0
  let lies = 0
  const server = createServer((asked, answer) => {
    if (asked.url === '/v1/publish' && published++ % LIES_EVERY === 0) {
      asked.resume()
      answer.setHeader('content-type', 'application/json')
      return answer.end(JSON.stringify({ epoch: 'x1Y2z3W4', offset: ++lies, connections: 1 }))
    }
    const { method, url, headers } = asked
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers: { ...headers, origin } }, (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers)
      given.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    asked.pipe(onward)
  })
  server.on('upgrade', ({ url, headers }, client) => {
    const onward = connect(Number(port), '127.0.0.1', () => {
      const lines = Object.entries({ ...headers, origin }).map(([name, value]) => `${name}: ${value}\r\n`)
      onward.write(`GET ${url} HTTP/1.1\r\n${lines.join('')}\r\n`)
      onward.pipe(client).pipe(onward)
    })
    for (const [end, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      end.on('error', () => {})
      end.on('close', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, lies: () => lies }
}
