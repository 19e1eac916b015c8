import { LOGIN_NAMESPACE, parseTicketState, type TicketState } from '@saoma/protocol'
import * as v from 'valibot'

/**
 * Message format of the sharded Socket.IO adapter for a broadcast to one room. A script that publishes it
 * makes every node emit `ticket` to the browsers in that room. The wire test compares it with the adapter's
 * own messages.
 */
const BROADCAST = 3
/** Socket.IO's packet type of an event. */
const EVENT = 2
/** Takes the place of a node's id. The adapter skips messages with its own id. */
const SENDER = 'tickets'

const message = (room: string, state: TicketState) => ({
  type: BROADCAST,
  data: {
    packet: { type: EVENT, data: ['ticket', state] },
    opts: { rooms: [room], except: [], flags: {} },
  },
  uid: SENDER,
  nsp: LOGIN_NAMESPACE,
})

/**
 * The message for a ticket's room, in two halves. The script inserts the changing part between them:
 * `"status":"scanned","version":2,"expiresIn":60`.
 */
export const encodeEvent = (room: string, ticket: string): [head: string, tail: string] => {
  const changing = { status: 'pending', version: 0, expiresIn: 0 } as const
  const text = JSON.stringify(message(room, { ticket, ...changing }))
  const gap = JSON.stringify(changing).slice(1, -1)
  const at = text.lastIndexOf(gap)
  return [text.slice(0, at), text.slice(at + gap.length)]
}

/** The adapter sends binary data in another form; that is never a ticket. */
const Event = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    type: v.literal(BROADCAST),
    data: v.object({ packet: v.object({ data: v.tuple([v.literal('ticket'), v.unknown()]) }) }),
  }),
)

/** The state in a message of a ticket's channel; undefined for any other message. */
export const decodeEvent = (payload: Buffer): TicketState | undefined => {
  const event = v.safeParse(Event, payload.toString())
  if (!event.success) return undefined
  const state = parseTicketState(event.output.data.packet.data[1])
  return state.ok ? state.value : undefined
}
