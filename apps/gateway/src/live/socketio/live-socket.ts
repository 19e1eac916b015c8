import type { LiveClientEvents, LiveServerEvents } from '@saoma/protocol'
import type { Namespace, Socket } from 'socket.io'
import type { LiveConnection } from '../live-connection.ts'

/** Set when the socket is admitted. */
interface LiveSocketData {
  connection: LiveConnection
}

export type LiveSocket = Socket<LiveClientEvents, LiveServerEvents, Record<string, never>, LiveSocketData>
export type LiveNamespace = Namespace<LiveClientEvents, LiveServerEvents, Record<string, never>, LiveSocketData>
