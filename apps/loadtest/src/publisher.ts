import { onCleanup } from '@saoma/testing'
import { io, type Socket } from 'socket.io-client'

const CONNECT_TIMEOUT_MS = 20_000
const ACK_TIMEOUT_MS = 20_000

/** A backend's socket to a node. */
export interface Publisher {
  /** Resolves with the ack. */
  emit(event: string, ...args: readonly unknown[]): Promise<unknown>
  close(): void
}

export const openPublisher = async (url: string, auth: object = {}): Promise<Publisher> => {
  const socket: Socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, auth })
  const close = () => {
    forget()
    socket.disconnect()
  }
  const forget = onCleanup(close)
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the publisher could not connect in time')), CONNECT_TIMEOUT_MS)
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.once('connect_error', reject)
  })
  return { emit: (event, ...args) => socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, ...args), close }
}
