import { LIVE_ONLY, OWN_CHANNEL, userChannel } from '@saoma/protocol'
import type { Socket } from 'socket.io-client'
import { openClient } from './client.ts'
import { ORIGIN } from './footprint.ts'
import { connectSocket } from './socket.ts'

export interface Person {
  /** Address of the person's node. */
  url: string
  name: string
}

/** What a message says. */
export interface Data {
  id: string
  text: string
}

/**
 * Connects a person and follows the person's own channel. Resolves with a function that closes the
 * connection.
 */
export type Follow = (person: Person, onData: (data: Data) => void) => Promise<() => void>

const JOIN_TIMEOUT_MS = 20_000

const join = async (socket: Socket, event: string, request: unknown): Promise<() => void> => {
  await socket.timeout(JOIN_TIMEOUT_MS).emitWithAck(event, request)
  return () => socket.disconnect()
}

/** As the SDK does, the address says that the connection does nothing else. */
export const followOurs: Follow = async ({ url, name }, onData) => {
  const socket = await connectSocket(url, { token: name }, LIVE_ONLY)
  const take = (message: { data: Data }) => onData(message.data)
  socket.on('message', take)
  socket.on('volatile', take)
  return join(socket, 'subscribe', { channel: OWN_CHANNEL })
}

export const followStock: Follow = async ({ url, name }, onData) => {
  const socket = await connectSocket(url, { token: name })
  socket.on('message', onData)
  return join(socket, 'join', userChannel(name))
}

export const followNchan: Follow = async ({ url, name }, onData) => {
  const socket = await openClient({
    url,
    origin: ORIGIN,
    dialogue: { path: `/subscribe?id=${name}` },
    onFrame: (frame) => onData(JSON.parse(frame.toString())),
    // The messages of a lost client are lost too, and that is noticed.
    onLost: () => {},
  })
  return () => socket.terminate()
}
