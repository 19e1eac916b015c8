import type { Socket } from 'socket.io'
import { bufferedBytes, cutOff, type EngineConnection, type EnginePacket, engineOf, queuedBytes } from './engine.ts'

interface Said {
  /** Packets since then. */
  packets: number
  since: number
  /** Packets it may send in a window. */
  most: number
  /** Namespaces that it has asked to be let into and that have not answered yet. */
  asking: Set<string>
}

/**
 * Looks at every packet of a connection before Socket.IO does, and in the same turn: limits that are asked
 * for later come too late for whoever sends ten thousand packets at once, each of which Socket.IO would
 * answer, or make a socket of.
 */
export interface PacketGuard {
  watch(connection: Socket['conn']): void
  /** A namespace has let the connection in or refused it: it may be asked again. */
  answered(socket: Socket): void
  /** This connection is somebody's that we know, who may say more in ten seconds than a stranger. */
  trust(socket: Socket, packets: number): void
}

/** The time in which packets are counted. */
export const WINDOW_MS = 10_000
/** Far more than a browser that logs in, or somebody who says who they are, has to say. */
export const STRANGERS_PACKETS = 100
/** A namespace's name, in Socket.IO's packet "connect": `0/login,{…}`, `0{…}` for the root. */
const CONNECT = /^0(\/[^,]*)?/

/**
 * @param namespaces  those that there are. Socket.IO answers a CONNECT to any other by itself and keeps
 *   nothing of it, so it is bounded by what bounds every packet: their number, and the bytes that wait for
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

  // One function for all, because a closure for each of ten thousand waiting browsers is memory.
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
