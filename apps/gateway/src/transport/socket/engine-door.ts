import type { IncomingMessage, RequestListener } from 'node:http'
import type { Server } from 'socket.io'
import { namesSession } from './admission.ts'
import { takeRequest, takeUpgrade } from './engine.ts'
import type { Door } from './upgrades.ts'

export interface EngineDoor extends Door {
  /** Gives HTTP requests below Engine.IO's path to it, and all others to somebody else. */
  before(others: RequestListener): RequestListener
}

/**
 * Engine.IO's way in: everything below its path. A polling session that goes on as a WebSocket was let in
 * before.
 */
export const createEngineDoor = (io: Server): EngineDoor => {
  const path = `${io.path()}/`
  const claims = ({ url = '' }: Pick<IncomingMessage, 'url'>) => url.startsWith(path)
  return {
    name: 'socket.io',
    claims,
    knows: namesSession,
    enter: (req, tcp, head) => takeUpgrade(io, req, tcp, head),
    before: (others) => (req, res) => (claims(req) ? takeRequest(io, req, res) : others(req, res)),
  }
}
