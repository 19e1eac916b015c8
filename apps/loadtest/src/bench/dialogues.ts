import { LOGIN_NAMESPACE, LOGIN_ONLY } from '@saoma/protocol'

/**
 * How a client of a crowd speaks until it is served. Frames are written by hand: a client library would cost
 * more than the server.
 */
export interface Dialogue {
  path: string
  /** What it answers to a frame, if anything. Absent when being connected is being served. */
  reply?: (frame: string) => string | undefined
  /** How the frame begins that says it is served. */
  served?: string
}

/**
 * Engine.IO's packet type is the first character of a frame, Socket.IO's the second: connect to a namespace,
 * send one event, get its ack.
 */
const socketIo = (namespace: string, event: readonly unknown[], auth?: object, query: object = {}): Dialogue => {
  const prefix = namespace === '/' ? '' : `${namespace},`
  return {
    path: `/socket.io/?${new URLSearchParams({ EIO: '4', transport: 'websocket', ...query })}`,
    reply: (frame) => {
      if (frame === '2') return '3'
      if (frame.startsWith('0')) return `40${prefix}${auth ? JSON.stringify(auth) : ''}`
      if (frame.startsWith(`40${prefix}`)) return `42${prefix}0${JSON.stringify(event)}`
      return undefined
    },
    served: `43${prefix}0`,
  }
}

/** The room that all clients of a crowd are in together. Anybody may follow it, nobody is told who does. */
export const ROOM = 'room:read-bench'

/** Each by the name that one client of the crowd has. */
export const dialogues = {
  silent: () => ({ path: '/' }),
  /** A browser that watches its login; the name is its device code. */
  watch: (deviceCode: string) => socketIo(LOGIN_NAMESPACE, ['watch', { deviceCode }], undefined, LOGIN_ONLY),
  /** The same without saying so in the address, upon which Socket.IO serves it. */
  watchThroughSocketIo: (deviceCode: string) => socketIo(LOGIN_NAMESPACE, ['watch', { deviceCode }]),
  /** Stock Socket.IO, a room of its own. */
  join: (room: string) => socketIo(LOGIN_NAMESPACE, ['join', room]),
  /** The gateway, the room of all; the name is its token. */
  follow: (token: string) => socketIo('/', ['subscribe', { channel: ROOM }], { token }),
  /** Stock Socket.IO, the room of all. */
  enter: () => socketIo('/', ['join', ROOM]),
  /** Nchan's subscriber location. */
  subscribe: () => ({ path: '/subscribe' }),
} satisfies Record<string, (name: string) => Dialogue>
