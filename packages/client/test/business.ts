import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'

const AN_HOUR_SECONDS = 3_600

/**
 * A business with tokens of its own: a person's name, or `<name>:<milliseconds since 1970 at which it ends>`.
 * Resolves with its address, for SAOMA_AUTH_URL.
 */
export const startBusiness = async (): Promise<string> => {
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const piece of req) body += piece
    const { token } = JSON.parse(body) as { token: string }
    const [uid, endsAt] = token.split(':')
    const expiresIn = endsAt ? (Number(endsAt) - Date.now()) / 1_000 : AN_HOUR_SECONDS
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ uid, expiresIn }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
