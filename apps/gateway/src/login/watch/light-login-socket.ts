import type { TicketState } from '@saoma/protocol'
import type { Listener } from '@saoma/tickets'
import { type LightKeeper, LightSocket } from '../../transport/light/light-socket.ts'
import type { Frames } from '../../transport/light/packets.ts'
import { EVENTS } from '../../transport/limits.ts'
import type { TicketWatcher } from './ticket-watcher.ts'

/** The services of the door that all of its browsers share. */
export interface LoginKeeper extends LightKeeper {
  /** Handles the event `watch` of the browser `this`. */
  watch(this: TicketWatcher, ...args: unknown[]): Promise<void>
  follow(ticket: string, listener: Listener): Promise<void>
  unfollow(ticket: string, listener: Listener): void
  heard(watcher: TicketWatcher, state: TicketState): void
  joined(browser: TicketWatcher): void
  left(browser: TicketWatcher): void
  /** Called when a browser exceeds its limit of events. */
  limited(): void
}

const tickets = new WeakMap<TicketState, ReturnType<Frames['event']>>()

/**
 * The event with a ticket's state. The same object gives the same frame, so all its watchers share one
 * encoding.
 */
const ticketFrame = ({ event }: Frames, state: TicketState): ReturnType<Frames['event']> => {
  const frame = tickets.get(state) ?? event('ticket', state)
  tickets.set(state, frame)
  return frame
}

/** A WebSocket that only waits for a login. */
export class LightLoginSocket extends LightSocket<LoginKeeper> implements TicketWatcher, Listener {
  deviceCode: string | undefined = undefined
  watching = false
  version = 0

  override get isOpen(): boolean {
    return this.isInside
  }

  follow(ticket: string): Promise<void> {
    return this.keeper.follow(ticket, this)
  }

  unfollow(ticket: string): void {
    this.keeper.unfollow(ticket, this)
  }

  tell(state: TicketState): void {
    this.write(ticketFrame(this.keeper.frames, state))
  }

  hear(state: TicketState): void {
    // The browser already knows this version from a read: the event is a duplicate or late.
    if (state.version <= this.version) return
    this.tell(state)
    this.keeper.heard(this, state)
  }

  /** Nothing to do: after a lost subscription every watched ticket is read again. */
  miss(): void {}

  protected override join(): void {
    // If it left and rejoined during a `watch`, the old answer would arrive in the new session.
    if (this.watching) return this.end()
    this.admit()
    this.keeper.joined(this)
  }

  protected override left(): void {
    this.keeper.left(this)
  }

  protected override handle(name: unknown, args: unknown[]): void {
    if (this.events > EVENTS.points) {
      this.keeper.limited()
      return this.dismiss()
    }
    if (name === 'watch') void this.keeper.watch.apply(this, args)
  }
}
