import type { Namespace, Server, Socket } from 'socket.io'
import type { Limits } from '../limits.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Guard } from './guard.ts'
import { closeWhenUnused } from './unused.ts'

export const ADMIN_NAMESPACE = '/admin'

export interface AdminOptions {
  user: string
  /** Of bcrypt. */
  passwordHash: string
  nodeId: string
}

interface AdminDeps {
  guard: Guard
  limits: Pick<Limits, 'admin'>
  metrics: Metrics
  log: Logger
}

/** What lets the admin UI of Socket.IO look at this cluster. */
export interface Admin {
  serve(io: Server, deps: AdminDeps): void
}

/** bcrypt looks at no more. */
const MOST_BYTES = 72

/** The words by which its page knows that it should ask again. */
const WRONG = 'invalid credentials'

const isWord = (value: unknown): value is string => typeof value === 'string' && Buffer.byteLength(value) <= MOST_BYTES

/** Loads the admin UI's server side if it is wanted; a node without has none of it in memory. */
export const openAdmin = async (options: AdminOptions | undefined): Promise<Admin | undefined> => {
  if (!options) return undefined
  const { user, passwordHash, nodeId } = options
  const [{ instrument }, { compare }] = await Promise.all([import('@socket.io/admin-ui'), import('bcryptjs')])

  /** Why not, or nothing. Its own check would let anybody make it work: a hash takes 0.1 to 0.4 s, and it neither counts nor looks at types. */
  const judge = async ({ handshake }: Socket, limits: AdminDeps['limits']): Promise<string | undefined> => {
    const { username, password } = handshake.auth
    if (username !== user || !isWord(password)) return WRONG
    if (await limits.admin(nodeId)) return 'RATE_LIMITED'
    return (await compare(password, passwordHash)) ? undefined : WRONG
  }

  const admit = (namespace: Namespace, { guard, limits, metrics, log }: AdminDeps): void => {
    namespace.use((socket, next) => {
      const address = socket.conn.remoteAddress
      judge(socket, limits)
        .catch((error: unknown) => {
          log.error({ err: error, event: 'admin' })
          return 'INTERNAL'
        })
        .then((why) => {
          guard.answered(socket)
          log[why ? 'warn' : 'info']({ event: 'admin', ip: address, ...(why ? { code: why } : {}) })
          if (!why) return next()
          metrics.handshakesRejected.inc({ reason: 'admin' })
          next(new Error(why))
        })
    })
    namespace.on('connection', (socket) => {
      socket.once('disconnect', closeWhenUnused)
    })
  }

  return {
    serve: (io, deps) => {
      admit(io.of(ADMIN_NAMESPACE), deps)
      instrument(io, {
        namespaceName: ADMIN_NAMESPACE,
        // Ours is above.
        auth: false,
        serverId: nodeId,
        // The other mode shows every handshake and every event with all that is in it: tokens, device codes.
        mode: 'production',
        readonly: true,
      })
    },
  }
}
