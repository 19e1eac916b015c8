import { LOGIN_NAMESPACE, parseTicketState, type TicketState } from '@saoma/protocol'
import * as v from 'valibot'

/**
 * The form in which the sharded Socket.IO adapter carries a broadcast to one room between nodes. A script
 * that publishes it makes every node emit `ticket` to the browsers in that room, as if a node had done so.
 * The wire test compares it with the adapter's own.
 */
const BROADCAST = 3
/** Socket.IO's packet type of an event. */
const EVENT = 2
/** Stands in for a node's id, which the adapter compares with its own to skip what it has sent itself. */
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
 * The message of a ticket's room in two halves. Between them belongs what a transition changes, which is
 * known only inside the script: `"status":"scanned","version":2,"expiresIn":60`.
 */
export const encodeEvent = (room: string, ticket: string): [head: string, tail: string] => {
  const changing = { status: 'pending', version: 0, expiresIn: 0 } as const
  const text = JSON.stringify(message(room, { ticket, ...changing }))
  const gap = JSON.stringify(changing).slice(1, -1)
  const at = text.lastIndexOf(gap)
  return [text.slice(0, at), text.slice(at + gap.length)]
}

/** The adapter sends binary data in another form, which is never a ticket. */
const Event = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    type: v.literal(BROADCAST),
    data: v.object({ packet: v.object({ data: v.tuple([v.literal('ticket'), v.unknown()]) }) }),
  }),
)

/** The state inside a message of a ticket's channel; undefined for anything else. */
export const decodeEvent = (payload: Buffer): TicketState | undefined => {
  const event = v.safeParse(Event, payload.toString())
  if (!event.success) return undefined
  const state = parseTicketState(event.output.data.packet.data[1])
  return state.ok ? state.value : undefined
}
