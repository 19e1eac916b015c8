import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'

/** An application, as far as it takes logout tokens. */
export interface LogoutReceiver {
  url: string
  /** The tokens that came, oldest first. */
  readonly tokens: readonly string[]
  /** How it answers from now on. @default with 200 */
  answer: (res: ServerResponse) => void
  /** Resolves with the next token that nobody has waited for yet. */
  next(): Promise<string>
}

export const startLogoutReceiver = async (): Promise<LogoutReceiver> => {
  const tokens: string[] = []
  let taken = 0
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const isForm = req.method === 'POST' && req.headers['content-type'] === 'application/x-www-form-urlencoded'
    tokens.push((isForm && new URLSearchParams(Buffer.concat(chunks).toString()).get('logout_token')) || '')
    server.emit('token')
    receiver.answer(res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => {
    server.closeAllConnections()
    server.close()
  })
  const receiver: LogoutReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/logout`,
    tokens,
    answer: (res) => void res.end(),
    next: async () => {
      while (tokens.length <= taken) await once(server, 'token')
      return tokens[taken++] ?? ''
    },
  }
  return receiver
}
