import type { LoginClientEvents, LoginServerEvents, TicketState } from '@saoma/protocol'
import type { Listener, Tickets } from '@saoma/tickets'
import type { Namespace, Socket } from 'socket.io'
import type { Limits } from '../../transport/limits.ts'
import { closeWhenUnused } from '../../transport/socket/close-idle.ts'
import { engineOf, forgetHandshake } from '../../transport/socket/engine.ts'
import type { PacketGuard } from '../../transport/socket/packet-guard.ts'
import type { TicketWatcher } from './ticket-watcher.ts'
import type { TicketWatches } from './ticket-watches.ts'

type LoginSocket = Socket<LoginClientEvents, LoginServerEvents, Record<string, never>, SocketIoWatcher>
export type LoginNamespace = Namespace<LoginClientEvents, LoginServerEvents, Record<string, never>, SocketIoWatcher>

export interface LoginDeps {
  guard: PacketGuard
  watching: TicketWatches
  tickets: Pick<Tickets, 'room' | 'listen' | 'unlisten'>
  limits: Limits
}

/**
 * A browser on Socket.IO, for instance over long-polling. The room of its ticket delivers the transitions.
 */
class SocketIoWatcher implements TicketWatcher, Listener {
  deviceCode: string | undefined = undefined
  watching = false
  version = 0
  dueAt = 0
  readonly #socket: LoginSocket
  readonly #deps: LoginDeps

  constructor(socket: LoginSocket, deps: LoginDeps) {
    this.#socket = socket
    this.#deps = deps
  }

  get id(): string {
    return this.#socket.id
  }

  get isOpen(): boolean {
    return this.#socket.connected
  }

  async follow(ticket: string): Promise<void> {
    const { tickets } = this.#deps
    await this.#socket.join(tickets.room(ticket))
    // Listen after joining the room, so that the browser gets the event first.
    await tickets.listen(ticket, this)
  }

  unfollow(ticket: string): void | Promise<void> {
    const { tickets } = this.#deps
    tickets.unlisten(ticket, this)
    return this.#socket.leave(tickets.room(ticket))
  }

  hear(state: TicketState): void {
    this.#deps.watching.heard(this, state)
  }

  /** Nothing to do: after a lost subscription every watched ticket is read again. */
  miss(): void {}

  tell(state: TicketState): void {
    this.#socket.emit('ticket', state)
  }

  dismiss(): void {
    this.#socket.disconnect(true)
  }
}

/** Namespace `/login` of Socket.IO: a browser follows its ticket. */
export const serveLogin = (namespace: LoginNamespace, deps: LoginDeps): void => {
  const { guard, watching, limits } = deps

  // Shared functions: a closure for each of ten thousand waiting browsers would cost memory.
  function onWatch(this: LoginSocket, ...args: unknown[]): void {
    void watching.watch.apply(this.data, args)
  }
  function onDisconnect(this: LoginSocket): void {
    watching.remove(this.data)
  }

  namespace.on('connection', (socket) => {
    guard.answered(socket)
    socket.data = new SocketIoWatcher(socket, deps)
    watching.add(socket.data)
    forgetHandshake(socket)
    socket.use((_, next) => {
      limits.events(engineOf(socket.conn).id).then((slow) => (slow ? socket.disconnect(true) : next()), next)
    })
    socket.on('watch', onWatch)
    socket.on('disconnect', closeWhenUnused)
    socket.on('disconnect', onDisconnect)
  })
}
