import { onCleanup } from '@saoma/testing'
import { connectSocket } from './socket.ts'

const ACK_TIMEOUT_MS = 20_000

/** A backend's socket to a node. */
export interface Publisher {
  /** Resolves with the ack. */
  emit(event: string, ...args: readonly unknown[]): Promise<unknown>
  close(): void
}

export const openPublisher = async (
  url: string,
  auth?: object,
  query?: Readonly<Record<string, string>>,
): Promise<Publisher> => {
  const socket = await connectSocket(url, auth, query)
  const close = () => {
    forget()
    socket.disconnect()
  }
  const forget = onCleanup(close)
  return { emit: (event, ...args) => socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, ...args), close }
}
