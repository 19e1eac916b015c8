import type { IncomingMessage, RequestListener } from 'node:http'
import type { Server } from 'socket.io'
import { namesSession } from './admission.ts'
import { takeRequest, takeUpgrade } from './engine.ts'
import type { Door } from './upgrades.ts'

export interface EngineDoor extends Door {
  /** Routes HTTP requests below Engine.IO's path to Engine.IO, and all others to `others`. */
  before(others: RequestListener): RequestListener
}

/**
 * The door of Engine.IO: everything below its path. A polling session that upgrades to a WebSocket has
 * already been admitted.
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
