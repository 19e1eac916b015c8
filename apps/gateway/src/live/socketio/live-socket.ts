import type { Following, Listener } from '@saoma/channels'
import type { Code, LiveClientEvents, LiveServerEvents } from '@saoma/protocol'
import type { Namespace, Socket } from 'socket.io'
import type { Principal } from '../../access/principal.ts'
import type { SocketWriter } from './socket-writer.ts'

/** What a node keeps of a live connection. */
export interface LiveSocketState {
  who: Principal
  /** Watches over the session; replaced when a refresh names another one. */
  attending: { close(): void }
  /** By full channel name. */
  following: Map<string, FollowedChannel>
  listener: Listener
  /** From the moment on at which Socket.IO has taken the socket in. */
  outlet?: SocketWriter
  /** Pages being read, and those that wait for their turn. */
  joining: number
  waiting: (() => void)[]
  /** When the end of the token is announced, in milliseconds since 1970; Infinity when it was. */
  warnAt: number
  /** It was cut off because it did not read. */
  slow?: true
  /** The session ended before Socket.IO had taken the socket in, when it cannot be told anything yet. */
  endedEarly?: Code
}

/** A channel's place among those of a connection. */
export interface FollowedChannel {
  /** Whether a subscription is being answered: the first one, or one that is to replace what is followed. */
  joining: boolean
  followed?: Following
}

export type LiveSocket = Socket<LiveClientEvents, LiveServerEvents, Record<string, never>, LiveSocketState>
export type LiveNamespace = Namespace<LiveClientEvents, LiveServerEvents, Record<string, never>, LiveSocketState>

/** Engine.IO's own; its types keep it to themselves. */
export const connectionOf = (socket: LiveSocket): string => Reflect.get(socket.conn, 'id')
export const isOpen = (socket: LiveSocket): boolean => Reflect.get(socket.conn, 'readyState') === 'open'

/** Lets go of everything. May be called again. */
export const release = ({ attending, following }: LiveSocketState): void => {
  attending.close()
  for (const place of following.values()) place.followed?.close()
  following.clear()
}
