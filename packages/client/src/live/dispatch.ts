import { parseInbox, parseMessage, parsePresenceChange, parseVolatile } from '@saoma/protocol'
import type { Followed } from './room.ts'

export interface Dispatch {
  /** Takes an event of the server, from any door. It ignores other events and malformed bodies. */
  take(event: string, body: unknown): void
  /** Calls `act` for each room of this channel. */
  each(channel: string, act: (room: Followed) => void): void
}

/** Events that the server sends on its own. */
export const TOLD: readonly string[] = ['message', 'volatile', 'presence', 'inbox']

/** Passes events to their rooms. `onHole` is called for a room that misses messages. */
export const createDispatch = (rooms: () => Iterable<Followed>, onHole: (room: Followed) => void): Dispatch => {
  const each: Dispatch['each'] = (channel, act) => {
    for (const room of rooms()) if (room.is(channel)) act(room)
  }

  return {
    each,
    take: (event, body) => {
      if (event === 'message') {
        const message = parseMessage(body)
        if (!message.ok) return
        each(message.value.channel, (room) => {
          if (!room.receive(message.value)) onHole(room)
        })
      } else if (event === 'volatile') {
        const message = parseVolatile(body)
        if (message.ok) each(message.value.channel, (room) => room.pass(message.value))
      } else if (event === 'presence') {
        const change = parsePresenceChange(body)
        if (change.ok) each(change.value.channel, (room) => room.change(change.value))
      } else if (event === 'inbox') {
        const inbox = parseInbox(body)
        const { channel } = (body ?? {}) as { channel?: unknown }
        if (inbox.ok) each(String(channel), (room) => room.counted(inbox.value))
      }
    },
  }
}
