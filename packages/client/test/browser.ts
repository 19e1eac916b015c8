import { type Cluster, onCleanup } from '@saoma/testing'
import type { Page } from '../src/core/page.ts'
import { createMemoryStorage } from '../src/core/storage.ts'
import { createLogin, type Login, type LoginEvents, type LoginOptions } from '../src/login/login.ts'
import type { LoginConnection, LoginState } from '../src/login/login-state.ts'
import { heard } from './heard.ts'

type Status = LoginState['status']
type StateOf<S extends Status> = Extract<LoginState, { status: S }>

export interface Browser {
  login: Login
  /** Statuses in the order they came, without repeats. */
  statuses: Status[]
  /** Resolves at the status, at once if it is the present one. */
  at<S extends Status>(status: S): Promise<StateOf<S>>
  /** The next time that this status comes. */
  next<S extends Status>(status: S): Promise<StateOf<S>>
  connectedBy(connection: LoginConnection): Promise<unknown>
}

const isStatus =
  <S extends Status>(status: S) =>
  (state: LoginState): state is StateOf<S> =>
    state.status === status

/** A login as a page has it. Closed at the end of the test file. */
export const openBrowser = (options: LoginOptions, create = createLogin): Browser => {
  const login = create({ storage: createMemoryStorage(), ...options })
  onCleanup(() => login.close())
  const statuses: Status[] = []
  login.on('state', ({ status }) => {
    if (statuses.at(-1) !== status) statuses.push(status)
  })
  const next = <S extends Status>(status: S) => heard<LoginEvents>(login)('state', isStatus(status))
  return {
    login,
    statuses,
    next,
    at: async (status) => {
      const { state } = login
      return isStatus(status)(state) ? state : next(status)
    },
    connectedBy: async (connection) =>
      login.connection === connection ||
      heard<LoginEvents>(login)('connection', (now): now is LoginConnection => now === connection),
  }
}

/** A page whose tab can be put in the background, and whose network can go away. */
export const createPage = (): Page & { change(hidden: boolean): void; setOnline(online: boolean): void } => {
  const listeners = new Set<() => void>()
  const changed = () => {
    for (const listener of listeners) listener()
  }
  const page = {
    hidden: false,
    online: true,
    onChange: (listener: () => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    change: (hidden: boolean) => {
      page.hidden = hidden
      changed()
    },
    setOnline: (online: boolean) => {
      page.online = online
      changed()
    },
  }
  return page
}

/** The node that holds the only socket of the cluster. */
export const holderOf = async ({ nodes }: Cluster) => {
  for (const node of nodes) {
    const metrics = await fetch(`${node.internalOrigin}/metrics`).then(
      (answer) => answer.text(),
      () => '', // This node has been killed.
    )
    if (/^saoma_connections\{[^}]*transport="websocket"[^}]*\} [1-9]/m.test(metrics)) return node
  }
  throw new Error('no node holds a socket')
}
