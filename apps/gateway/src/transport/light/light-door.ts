import { randomFillSync } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { every } from '@saoma/redis'
import type { Server, ServerOptions } from 'socket.io'
import type { WebSocket } from 'ws'
import type { Metrics } from '../../operate/metrics.ts'
import { now } from '../clock.ts'
import type { Tcp } from '../socket/engine.ts'
import type { Door } from '../socket/upgrades.ts'
import { createWebSockets } from '../socket/web-sockets.ts'
import type { LightKeeper, LightSocket } from './light-socket.ts'
import { createFrames } from './packets.ts'

export interface LightDoorOptions {
  nodeId: string
  /** Bytes that may be buffered for a reader before it is cut off. */
  maxBufferBytes: number
}

/** What a door is for. */
export interface LightDoorKind<Keeper extends LightKeeper, Socket extends LightSocket<Keeper>> {
  /** Its name in the log. */
  name: string
  /** The value of the parameter `only` in the addresses of its clients. */
  only: string
  namespace: string
  /** The class of its sockets. */
  Socket: new (
    ...args: ConstructorParameters<typeof WebSocket>
  ) => Socket
  /** Adds what the sockets share to what all light doors share. */
  keep: (keeper: LightKeeper) => Keeper
}

export interface LightDoor<Socket> extends Door {
  /** The clients in the namespace. */
  guests(): Socket[]
  /** Closes what is still open. Drain the guests first. */
  close(): void
}

const ID_BYTES = 15
const drawn = Buffer.alloc(ID_BYTES * 256)
let used = drawn.length

/** An id that cannot be guessed. Asking for many at once costs as much as asking for one. */
const drawId = (): string => {
  if (used === drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  used += ID_BYTES
  return drawn.toString('base64url', used - ID_BYTES, used)
}

/** How often heartbeats are checked: one timer for all sockets instead of two for each. */
const SWEEP_MS = 1_000

/**
 * A door for WebSockets whose address says that they use one namespace only. The protocol is the same as
 * Socket.IO's, but Socket.IO's objects for a connection need three times the memory of the connection itself.
 * Engine.IO serves all other requests.
 */
export const createLightDoor = <Keeper extends LightKeeper, Socket extends LightSocket<Keeper>>(
  io: Server,
  metrics: Pick<Metrics, 'opened' | 'closed' | 'cut'>,
  { name, only, namespace, Socket, keep }: LightDoorKind<Keeper, Socket>,
  { nodeId, maxBufferBytes }: LightDoorOptions,
): LightDoor<Socket> => {
  // The type makes them optional, but they are always set.
  const { pingInterval, pingTimeout, maxHttpBufferSize: maxPayload } = io.engine.opts as Required<ServerOptions>
  const sockets = new Set<Socket>()
  // LightSocket answers pings itself, because ws would keep a closure for each connection.
  const open = createWebSockets({
    nodeId,
    maxPayload,
    autoPong: false,
    WebSocket: Socket as unknown as typeof WebSocket,
  })

  const keeper = keep({
    opening: { pingInterval, pingTimeout, maxPayload },
    nodeId,
    maxBufferBytes,
    namespace,
    frames: createFrames(namespace),
    cut: (reason) => metrics.cut.inc({ reason }),
    closed: (socket, reason) => {
      sockets.delete(socket as Socket)
      metrics.closed.inc({ reason: reason.replaceAll(' ', '_') })
    },
  })

  const path = `${io.path()}/?`
  const claims = ({ url = '' }: IncomingMessage): boolean => {
    if (!url.startsWith(path)) return false
    // As in Engine.IO, the last of several values is valid, and an empty session id means none.
    const said = Object.fromEntries(new URLSearchParams(url.slice(path.length)))
    return said.only === only && said.transport === 'websocket' && said.EIO === '4' && !said.sid
  }

  const stopSweeps = every(SWEEP_MS, () => {
    const at = now()
    for (const socket of sockets) socket.check(at)
  })

  return {
    name,
    claims,
    enter: (req, tcp, head) =>
      open(req, tcp, head, (opened) => {
        const socket = opened as Socket
        sockets.add(socket)
        metrics.opened.inc({ transport: 'websocket' })
        socket.begin(tcp as Tcp, drawId(), keeper, req)
      }),
    guests: () => [...sockets].filter(({ isInside }) => isInside),
    close: () => {
      stopSweeps()
      for (const socket of sockets) socket.end()
    },
  }
}
