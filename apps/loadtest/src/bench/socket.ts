import { io, type Socket } from 'socket.io-client'

const CONNECT_TIMEOUT_MS = 20_000

/** A Socket.IO client over WebSocket that does not reconnect. Resolves when it is connected. */
export const connectSocket = async (
  url: string,
  auth: object = {},
  query: Readonly<Record<string, string>> = {},
): Promise<Socket> => {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, auth, query: { ...query } })
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('a client could not connect in time')), CONNECT_TIMEOUT_MS)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.once('connect_error', reject)
  })
  return socket
}
