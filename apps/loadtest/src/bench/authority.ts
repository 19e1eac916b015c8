import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { onCleanup } from '@saoma/testing'

const EXPIRES_IN_SECONDS = 3_600

/** A business backend for SAOMA_AUTH_URL. It accepts a person's name as the person's token. */
export const startAuthority = async (): Promise<{ url: string; close(): void }> => {
  const http = createServer(async (request, response) => {
    const { token } = (await json(request)) as { token: string }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ uid: token, expiresIn: EXPIRES_IN_SECONDS }))
  })
  const close = () => {
    forget()
    http.close()
    http.closeAllConnections()
  }
  const forget = onCleanup(close)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`, close }
}
