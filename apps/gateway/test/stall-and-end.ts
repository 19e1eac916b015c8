import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** More than the kernel takes for a connection that nobody reads. */
const BACKLOG = Buffer.alloc(16 << 20)

/**
 * Lets a client read no more while its node has much to say, and ends the client's side, without a close
 * frame. `tcp` is the node's end.
 */
export const stallAndEnd = async (client: WebSocket, tcp: Duplex): Promise<void> => {
  client.on('error', () => {})
  client.pause()
  tcp.write(BACKLOG)
  const ended = once(tcp, 'end')
  const own: Duplex = Reflect.get(client, '_socket')
  own.end()
  await ended
}
