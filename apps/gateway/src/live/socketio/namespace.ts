import type { LiveClientEvents } from '@saoma/protocol'
import { refusal } from '../../transport/refusal.ts'
import { type Act, type AnswerDeps, answerEvent, askedBy } from '../../transport/socket/answer-event.ts'
import { closeWhenUnused } from '../../transport/socket/close-idle.ts'
import { forgetHandshake } from '../../transport/socket/engine.ts'
import type { PacketGuard } from '../../transport/socket/packet-guard.ts'
import type { LiveConnection } from '../live-connection.ts'
import type { LiveConnections } from '../live-connections.ts'
import type { LiveNamespace, LiveSocket } from './live-socket.ts'
import { SocketIoEndpoint } from './socketio-endpoint.ts'

export interface LiveNamespaceDeps extends AnswerDeps {
  guard: PacketGuard
  connections: LiveConnections
  requests: Record<keyof LiveClientEvents, Act<LiveConnection>>
}

export interface LiveNamespaceOptions {
  /** Bytes that may be buffered for a reader before it is cut off. */
  maxBufferBytes: number
  /** Packets of a connection in ten seconds before it is cut off. Rate limiting begins earlier. */
  maxPackets: { person: number; backend: number }
}

/** Namespace `/` of Socket.IO: people and backends follow channels and publish into them. */
export const serveLive = (
  namespace: LiveNamespace,
  deps: LiveNamespaceDeps,
  { maxBufferBytes, maxPackets }: LiveNamespaceOptions,
): void => {
  const { guard, connections, requests } = deps

  // Shared functions: a closure for each of ten thousand sockets would cost memory.
  const listeners = Object.entries(requests).map(([name, act]) => {
    function onEvent(this: LiveSocket, ...args: unknown[]): void {
      const { request, answer } = askedBy(args)
      void answerEvent(name, deps, act, this.data.connection, request, answer)
    }
    return [name, onEvent] as const
  })

  namespace.use(async (socket, next) => {
    const endpoint = new SocketIoEndpoint(socket, maxBufferBytes)
    const admitted = await connections.admit(endpoint, socket.handshake.auth)
    if (!admitted.ok) {
      guard.answered(socket)
      return next(Object.assign(new Error(admitted.code), { data: refusal(admitted) }))
    }
    const connection = admitted.value
    socket.data = { connection }
    const { conn } = socket
    // Listen to the connection as well as the socket: if the connection closes during admission, the socket
    // emits no `disconnect`.
    const onEnd = () => {
      conn.off('close', onEnd)
      connections.close(connection)
    }
    conn.once('close', onEnd)
    socket.once('disconnect', onEnd)
    if (!endpoint.isOpen) onEnd()
    next()
  })

  namespace.on('connection', (socket) => {
    const { connection } = socket.data
    guard.answered(socket)
    guard.trust(socket, maxPackets[connection.who.kind])
    forgetHandshake(socket)
    connections.open(connection)
    socket.use(([, ...args], next) => {
      connection.spend().then((spent) => {
        if (spent === 'spent') next()
        else if (spent !== 'gone') askedBy(args).answer(spent)
      }, next)
    })
    for (const [name, listener] of listeners) socket.on(name as 'subscribe', listener)
    socket.once('disconnect', closeWhenUnused)
  })
}
