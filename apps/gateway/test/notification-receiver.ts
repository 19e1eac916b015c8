import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Certificate, onCleanup } from '@saoma/testing'

export interface Notification {
  /** What the request showed: its `Authorization`. */
  authorization: string
  body: { auth_req_id?: string }
}

/** An application, as far as it takes notifications of answers (CIBA, ping mode). */
export interface NotificationReceiver {
  url: string
  readonly notifications: readonly Notification[]
  /** The status with which it answers from now on. @default 204 */
  status: number
  /** How it answers from now on. @default with its status */
  answer: (res: ServerResponse) => void
  /** Resolves with the next notification that nobody has waited for yet. */
  next(): Promise<Notification>
}

export const startNotificationReceiver = async (
  { certFile, keyFile }: Certificate,
  { host = '127.0.0.1', port = 0 }: { host?: string; port?: number } = {},
): Promise<NotificationReceiver> => {
  const notifications: Notification[] = []
  let taken = 0
  const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  const server = createServer(tls, async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const { authorization = '' } = req.headers
    notifications.push({ authorization, body: JSON.parse(Buffer.concat(chunks).toString()) })
    server.emit('notification')
    receiver.answer(res)
  })
  server.listen(port, host)
  await once(server, 'listening')
  onCleanup(() => {
    server.closeAllConnections()
    server.close()
  })
  const receiver: NotificationReceiver = {
    url: `https://${host}:${(server.address() as AddressInfo).port}/answered`,
    notifications,
    status: 204,
    answer: (res) => void res.writeHead(receiver.status).end(),
    next: async () => {
      while (notifications.length <= taken) await once(server, 'notification')
      return notifications[taken++] as Notification
    },
  }
  return receiver
}
