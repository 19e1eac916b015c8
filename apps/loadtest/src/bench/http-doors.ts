import { userChannel } from '@saoma/protocol'
import type { System } from './cluster-under-test.ts'
import { type Follow, followNchan, followOurs, followStock } from './follow.ts'
import { startNchan } from './nchan.ts'
import { batches } from './numbers.ts'
import type { Message } from './publish-cluster.ts'
import { startSaoma } from './saoma.ts'
import { startStock } from './stock.ts'

/** One POST of a backend. */
export interface Call {
  path: string
  json: unknown
}

/** A system, and a way to publish to it over HTTP. */
export interface HttpDoor {
  /** The row of the table. */
  name: string
  start(): Promise<System>
  follow: Follow
  /** The calls that publish these messages, in order. */
  calls(messages: readonly Message[]): readonly Call[]
}

export const NODES = 2
/** As many as a call may have. */
const PER_CALL = 100

/** A call for each message. */
const oneACall =
  (path: string, json: (message: Message) => unknown): HttpDoor['calls'] =>
  (messages) =>
    messages.map((message) => ({ path, json: json(message) }))

const publication = ({ person, data }: Message) => ({ channel: userChannel(person), event: 'tick', data })

const ours: Pick<HttpDoor, 'start' | 'follow'> = { start: () => startSaoma(NODES), follow: followOurs }

export const ourDoors: readonly HttpDoor[] = [
  { ...ours, name: 'ours, one a call', calls: oneACall('/v1/publish', publication) },
  {
    ...ours,
    name: `ours, ${PER_CALL} a call`,
    calls: (messages) =>
      batches(messages, PER_CALL).map((batch) => ({ path: '/v1/publish', json: batch.map(publication) })),
  },
  {
    ...ours,
    name: 'ours, mesh',
    // The text that CONNMIX's clients read as an event of the person's own channel.
    calls: oneACall('/v1/mesh/publish', ({ person, data }) => ({
      c: userChannel(person),
      d: JSON.stringify({ event: '@user', data }),
    })),
  },
  {
    ...ours,
    name: 'ours, keeping nothing',
    calls: oneACall('/v1/publish', (message) => ({ ...publication(message), volatile: true })),
  },
]

export const stockDoor: HttpDoor = {
  name: 'stock',
  start: () => startStock(NODES),
  follow: followStock,
  calls: oneACall('/publish', ({ person, data }) => ({ room: userChannel(person), data })),
}

/** Nchan has a channel for each person, named in the address. */
export const nchanDoor = (module: string): HttpDoor => ({
  name: 'Nchan',
  start: () => startNchan(module),
  follow: followNchan,
  calls: (messages) => messages.map(({ person, data }) => ({ path: `/publish?id=${person}`, json: data })),
})
