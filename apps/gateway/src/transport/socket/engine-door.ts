import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server } from 'socket.io'
import { namesSession } from './admission.ts'
import type { Door } from './upgrades.ts'

/** The part of Engine.IO's server that Socket.IO's types do not tell of. */
interface Engine {
  handleUpgrade(req: IncomingMessage, tcp: Duplex, head: Buffer<ArrayBuffer>): void
}

/**
 * Engine.IO's way in: everything below its path, as for its polling. A polling session that goes on as a
 * WebSocket was let in before.
 */
export const createEngineDoor = (io: Server): Door => {
  const engine = io.engine as unknown as Engine
  const path = `${io.path()}/`
  return {
    name: 'socket.io',
    claims: ({ url = '' }) => url.startsWith(path),
    knows: namesSession,
    enter: (req, tcp, head) => engine.handleUpgrade(req, tcp, head),
  }
}
