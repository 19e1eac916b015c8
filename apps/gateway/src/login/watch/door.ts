import { LOGIN_NAMESPACE, LOGIN_ONLY } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import type { Server } from 'socket.io'
import type { Metrics } from '../../operate/metrics.ts'
import { createLightDoor, type LightDoor, type LightDoorOptions } from '../../transport/light/light-door.ts'
import { LightLoginSocket, type LoginKeeper } from './light-login-socket.ts'
import type { TicketWatches } from './ticket-watches.ts'

export interface LightLoginDoorDeps {
  watching: TicketWatches
  tickets: Pick<Tickets, 'listen' | 'unlisten'>
  metrics: Metrics
}

/** The door of browsers that use the namespace `/login` only. */
export const createLightLoginDoor = (
  io: Server,
  { watching, tickets, metrics }: LightLoginDoorDeps,
  options: LightDoorOptions,
): LightDoor<LightLoginSocket> =>
  createLightDoor<LoginKeeper, LightLoginSocket>(
    io,
    metrics,
    {
      name: 'waiting',
      only: LOGIN_ONLY.only,
      namespace: LOGIN_NAMESPACE,
      Socket: LightLoginSocket,
      keep: (keeper) => ({
        ...keeper,
        watch: watching.watch,
        follow: tickets.listen,
        unfollow: tickets.unlisten,
        heard: watching.heard,
        joined: watching.add,
        left: watching.remove,
        limited: () => metrics.limited.inc({ what: 'events' }),
      }),
    },
    options,
  )
