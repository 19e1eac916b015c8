import { parseInbox, parseMessage, parsePresenceChange, parseVolatile } from '@saoma/protocol'
import type { Followed } from './room.ts'

export interface Dispatch {
  /**
   * Takes what a server said, on whatever door. Events of another kind, and bodies that are none of ours, are
   * left alone.
   */
  take(event: string, body: unknown): void
  /** Each room that is this channel. */
  each(channel: string, act: (room: Followed) => void): void
}

/** What the server tells without being asked. */
export const TOLD: readonly string[] = ['message', 'volatile', 'presence', 'inbox']

/** Gives what comes to the rooms it is for. `onHole` is told of a room that misses something. */
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
