import { LIVE_ONLY, LOGIN_NAMESPACE, LOGIN_ONLY, OWN_CHANNEL } from '@saoma/protocol'

/**
 * The frames that a client of a crowd exchanges until it is served. They are written by hand, because a
 * client library would use more CPU than the server.
 */
export interface Dialogue {
  path: string
  /** The client's answer to a frame, if any. Absent when a connected client counts as served. */
  reply?: (frame: string) => string | undefined
  /** The beginning of the frame that says the client is served. */
  served?: string
}

/**
 * The first character of a frame is Engine.IO's packet type, the second Socket.IO's. The dialogue connects to
 * a namespace, sends one event and gets its ack.
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

/** The room that all clients of a crowd share. Anybody may follow it. Nobody receives its presence. */
export const ROOM = 'room:read-bench'

/** Each dialogue takes the name of one client of the crowd. */
export const dialogues = {
  silent: () => ({ path: '/' }),
  /** A browser that watches its login. The name is its device code. */
  watch: (deviceCode: string) => socketIo(LOGIN_NAMESPACE, ['watch', { deviceCode }], undefined, LOGIN_ONLY),
  /** The same, but the address does not announce it, so Socket.IO serves the connection. */
  watchThroughSocketIo: (deviceCode: string) => socketIo(LOGIN_NAMESPACE, ['watch', { deviceCode }]),
  /** Stock Socket.IO, with a room for each client. */
  join: (room: string) => socketIo(LOGIN_NAMESPACE, ['join', room]),
  /** The gateway, with one shared room. The name is the client's token. */
  follow: (token: string) => socketIo('/', ['subscribe', { channel: ROOM }], { token }, LIVE_ONLY),
  /** The gateway, with the channel of each client's own person. The name is the token, and the person. */
  followOwn: (token: string) => socketIo('/', ['subscribe', { channel: OWN_CHANNEL }], { token }, LIVE_ONLY),
  /** Stock Socket.IO, with one shared room. */
  enter: () => socketIo('/', ['join', ROOM]),
  /** Nchan's subscriber location. */
  subscribe: () => ({ path: '/subscribe' }),
} satisfies Record<string, (name: string) => Dialogue>
