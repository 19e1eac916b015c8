import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import type { Logger } from '../log.ts'
import { type HandshakeRefusal, refuseUpgrade } from './admission.ts'

export interface UpgradesDeps {
  judge: (req: IncomingMessage) => Promise<HandshakeRefusal | undefined>
  log: Logger
}

export interface UpgradesOptions<W extends typeof WebSocket> {
  nodeId: string
  /** Names the door in the log. */
  door: string
  maxPayload: number | undefined
  /** Whether ws answers pings by itself. @default true */
  autoPong?: boolean
  /** The class of the connections. @default that of ws */
  WebSocket?: W
}

/** For a client that goes while it is being judged. */
function destroy(this: Duplex): void {
  this.destroy()
}

/** What a door besides Engine.IO's does with a client that asks for a WebSocket: judges it, and welcomes it or says why not. */
export const createUpgrades = <W extends typeof WebSocket = typeof WebSocket>(
  { judge, log }: UpgradesDeps,
  { nodeId, door, ...options }: UpgradesOptions<W>,
) => {
  const settings: ServerOptions<W> = { noServer: true, clientTracking: false, perMessageDeflate: false, ...options }
  const server = new WebSocketServer<W>(settings)
  server.on('headers', (headers) => headers.push(`X-Saoma-Node: ${nodeId}`))

  const admit = async (
    req: IncomingMessage,
    tcp: Duplex,
    head: Buffer,
    welcome: (ws: InstanceType<W>) => void,
  ): Promise<void> => {
    const refusal = await judge(req)
    if (refusal) return refuseUpgrade(tcp, refusal)
    server.handleUpgrade(req, tcp, head, (ws) => {
      tcp.off('error', destroy)
      welcome(ws)
    })
  }

  /** Never throws: what goes wrong is in the log, and the connection ends. */
  return (req: IncomingMessage, tcp: Duplex, head: Buffer, welcome: (ws: InstanceType<W>) => void): void => {
    tcp.on('error', destroy)
    admit(req, tcp, head, welcome).catch((error: unknown) => {
      log.error({ err: error, event: 'refused', on: door })
      tcp.destroy()
    })
  }
}
