import { createLive, type Live, type Room } from '@saoma/client'
import type { Clock } from './clock.ts'
import type { Content, Reader } from './ledger.ts'
import type { Network } from './network.ts'
import type { Person } from './people.ts'
import type { Recorder } from './recorder.ts'

/** The content of a message of a run, and the time when it was due. */
export interface Sent extends Content {
  dueAt: number
}

interface Events {
  load: Sent
}

export interface ListenerOptions {
  url: string
  person: Person
  channel: string
  reader: Reader
  onMessage: (room: Room<Events>, offset: number, sent: Sent) => void
}

/** A follower of one channel. It uses the SDK, as a page does. */
export interface Listener {
  /** Whether the subscription is live. */
  readonly live: boolean
  /** Whether it was ever live. From then on every message counts. */
  readonly joined: boolean
  close(): void
}

const isSent = (data: unknown): data is Sent => {
  const { id, to, dueAt } = Object(data) as Partial<Sent>
  return typeof id === 'string' && typeof to === 'string' && typeof dueAt === 'number'
}

export const openListener = (
  { recorder, network }: { clock: Clock; recorder: Recorder; network: Network },
  { url, person, channel, reader, onMessage }: ListenerOptions,
): Listener => {
  const live: Live = createLive({
    origin: url,
    token: () => person.token(),
    transports: [network.transport],
    fetch: network.fetch,
  })
  const room = live.channel<Events>(channel)
  let joined = false
  room.on('state', (state) => {
    if (state === 'live' && joined) recorder.count('reconnects')
    if (state !== 'live' || !room.position) return
    joined = true
    reader.joined(room.position)
  })
  room.on('message', ({ epoch, offset, data }) => {
    recorder.count('received')
    if (!isSent(data)) return recorder.error('a message that is none of ours: somebody else publishes in this channel')
    reader.received({ epoch, offset }, data)
    onMessage(room, offset, data)
  })
  room.on('lost', ({ position }) => reader.skipped(position))
  room.on('refused', ({ code }) => recorder.error(`reader: ${code}`))
  live.on('ended', ({ code }) => recorder.error(`reader: ${code}`))
  return {
    get live() {
      return room.state === 'live'
    },
    get joined() {
      return joined
    },
    close: () => live.close(),
  }
}
