import { LOGIN_NAMESPACE, type TicketState } from '@saoma/protocol'
import { onCleanup } from '@saoma/testing'
import type { Socket } from 'socket.io-client'
import { batches } from './numbers.ts'
import type { Receipts } from './receipts.ts'
import { connectSocket } from './socket.ts'

export interface Browsers {
  /**
   * Gives each ticket to one browser of the node with that number. Each browser joins a room of its own.
   * Resolves when all rooms are joined.
   */
  wait(node: number, tickets: readonly string[]): Promise<void>
  close(): void
}

const JOIN_TIMEOUT_MS = 20_000
/** Concurrent handshakes, or concurrent joins. */
const AT_ONCE = 50

const connect = async (url: string, receipts: Receipts): Promise<Socket> => {
  const socket = await connectSocket(url + LOGIN_NAMESPACE)
  socket.on('ticket', ({ ticket, status }: TicketState) => {
    if (status === 'confirmed') receipts.take(ticket)
  })
  return socket
}

/** Browsers that use WebSocket only, `perNode` of them on each node. */
export const openBrowsers = async (urls: readonly string[], perNode: number, receipts: Receipts): Promise<Browsers> => {
  const byNode: Socket[][] = urls.map(() => [])
  const close = () => {
    forget()
    for (const socket of byNode.flat()) socket.disconnect()
  }
  const forget = onCleanup(close)

  const places = urls.flatMap((url, node) => Array.from({ length: perNode }, () => ({ url, node })))
  for (const batch of batches(places, AT_ONCE))
    await Promise.all(batch.map(async ({ url, node }) => byNode[node]?.push(await connect(url, receipts))))

  return {
    wait: async (node, tickets) => {
      const sockets = byNode[node] ?? []
      const shares = sockets.map((socket, i) => ({
        socket,
        tickets: tickets.filter((_, j) => j % sockets.length === i),
      }))
      for (const batch of batches(shares, AT_ONCE))
        await Promise.all(
          batch.map(({ socket, tickets }) => socket.timeout(JOIN_TIMEOUT_MS).emitWithAck('join', tickets)),
        )
    },
    close,
  }
}
