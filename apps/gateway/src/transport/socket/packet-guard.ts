import type { Socket } from 'socket.io'
import { bufferedBytes, cutOff, type EngineConnection, type EnginePacket, engineOf, queuedBytes } from './engine.ts'

interface Said {
  /** Packets since `since`. */
  packets: number
  since: number
  /** Packets that it may send in one window. */
  most: number
  /** Namespaces with a pending CONNECT. */
  asking: Set<string>
}

/**
 * Checks every packet of a connection before Socket.IO does, and in the same turn of the event loop.
 * Asynchronous limits would come too late: a client can send ten thousand packets at once, and Socket.IO
 * would answer each one, or create a socket for it.
 */
export interface PacketGuard {
  watch(connection: Socket['conn']): void
  /** A namespace has admitted or refused the connection, so it may send CONNECT again. */
  answered(socket: Socket): void
  /** Marks a connection as authenticated, and sets its higher limit of packets in ten seconds. */
  trust(socket: Socket, packets: number): void
}

/** The window in which packets are counted. */
export const WINDOW_MS = 10_000
/** Limit of an unauthenticated client: far more than a login or an authentication needs. */
export const STRANGERS_PACKETS = 100
/** A namespace's name, in Socket.IO's packet "connect": `0/login,{…}`, `0{…}` for the root. */
const CONNECT = /^0(\/[^,]*)?/

/**
 * @param namespaces  the namespaces of the server. Socket.IO itself answers a CONNECT to any other and keeps
 *   no state for it, so the limits of every packet suffice: their number, and the bytes that are buffered for
 *   the client.
 */
export const createPacketGuard = (
  namespaces: readonly string[],
  maxBufferBytes: number,
  onCut: (reason: string) => void,
): PacketGuard => {
  const heard = new WeakMap<object, Said>()

  const saidBy = (connection: object): Said => {
    const said = heard.get(connection) ?? { packets: 0, since: 0, most: STRANGERS_PACKETS, asking: new Set() }
    heard.set(connection, said)
    return said
  }

  const judge = (connection: EngineConnection, { type, data }: EnginePacket): string | undefined => {
    const said = saidBy(connection)
    const now = performance.now()
    if (now - said.since > WINDOW_MS) {
      said.since = now
      said.packets = 0
    }
    if (++said.packets > said.most) return 'flood'
    if (queuedBytes(connection) + bufferedBytes(connection) > maxBufferBytes) return 'slow'
    const connect = type === 'message' && typeof data === 'string' ? CONNECT.exec(data) : null
    if (!connect) return undefined
    const namespace = connect[1] ?? '/'
    if (!namespaces.includes(namespace)) return undefined
    if (said.asking.has(namespace)) return 'protocol'
    said.asking.add(namespace)
    return undefined
  }

  // One shared function: a closure for each of ten thousand waiting browsers would cost memory.
  function onPacket(this: EngineConnection, packet: EnginePacket): void {
    const reason = judge(this, packet)
    if (!reason) return
    onCut(reason)
    cutOff(this)
  }

  return {
    watch: (connection) => void engineOf(connection).on('packet', onPacket),
    answered: ({ conn, nsp }) => void saidBy(conn).asking.delete(nsp.name),
    trust: ({ conn }, packets) => {
      saidBy(conn).most = packets
    },
  }
}
