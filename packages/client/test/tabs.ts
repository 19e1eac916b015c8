import type { TokenSet } from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  createTicket,
  onCleanup,
  phoneToken,
  redeem,
  refresh,
  scan,
  startCluster,
} from '@saoma/testing'
import { createMemoryStorage } from '../src/core/storage.ts'
import { createSession, type Session, type SessionOptions } from '../src/session/session.ts'

/** Locks as the browser has them, for pages of this process. */
export const createLocks = (): NonNullable<SessionOptions['locks']> => {
  let last: Promise<unknown> = Promise.resolve()
  return {
    request: (_name: string, ...rest: unknown[]) => {
      const run = rest.at(-1) as () => unknown
      const mine = last.then(run)
      last = mine.catch(() => {})
      return mine
    },
  } as NonNullable<SessionOptions['locks']>
}

/** What the server says to a refresh token that is worth nothing. */
export const refused = { status: 400, body: { error: 'invalid_grant' } }

/** Everything the session says from now on. */
export const said = (session: Session): string[] => {
  const events: string[] = []
  session.on('changed', () => events.push('changed'))
  session.on('ended', ({ reason }) => events.push(reason))
  return events
}

/** A cluster for this file, with logins there and sessions as the tabs of a browser have them. */
export const prepareTabs = () => {
  let cluster: Cluster
  let phone: string

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2 })
    phone = await phoneToken(cluster.origin, '韩梅梅')
  })

  return {
    origin: () => cluster.origin,
    logIn: async (): Promise<TokenSet> => {
      const { device_code, ticket } = await createTicket(cluster.origin)
      await scan(cluster.origin, ticket, phone)
      await confirm(cluster.origin, ticket, phone)
      return (await redeem(cluster.origin, device_code)).body
    },
    open: (options: Partial<SessionOptions> = {}): Session => {
      const session = createSession({
        origin: cluster.origin,
        storage: createMemoryStorage(),
        locks: createLocks(),
        ...options,
      })
      onCleanup(() => session.close())
      return session
    },
    useRefreshToken: ({ refresh_token: token }: TokenSet) => refresh(cluster.origin, token),
  }
}
