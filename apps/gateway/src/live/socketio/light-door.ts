import type { IncomingMessage } from 'node:http'
import { LIVE_ONLY, type LiveClientEvents } from '@saoma/protocol'
import type { Server } from 'socket.io'
import type { Metrics } from '../../operate/metrics.ts'
import { createLightDoor, type LightDoor, type LightDoorOptions } from '../../transport/light/light-door.ts'
import { type Act, type AnswerDeps, answerEvent } from '../../transport/socket/answer-event.ts'
import type { LiveConnection } from '../live-connection.ts'
import type { LiveConnections } from '../live-connections.ts'
import { LightLiveSocket, type LiveKeeper } from './light-live-socket.ts'

export interface LightLiveDoorDeps extends AnswerDeps {
  connections: LiveConnections
  requests: Record<keyof LiveClientEvents, Act<LiveConnection>>
  metrics: Metrics
}

export interface LightLiveDoorOptions extends LightDoorOptions, Pick<LiveKeeper, 'maxPackets'> {
  addressOf: (request: IncomingMessage) => string
}

/** The door of clients that use the root namespace only: people and backends on channels. */
export const createLightLiveDoor = (
  io: Server,
  deps: LightLiveDoorDeps,
  { addressOf, maxPackets, ...options }: LightLiveDoorOptions,
): LightDoor<LightLiveSocket> => {
  const { connections, requests, metrics } = deps
  const acts = new Map<unknown, ReturnType<LiveKeeper['act']>>(
    Object.entries(requests).map(([name, act]) => [
      name,
      (connection, request, answer) => void answerEvent(name, deps, act, connection, request, answer),
    ]),
  )
  return createLightDoor<LiveKeeper, LightLiveSocket>(
    io,
    metrics,
    {
      name: 'live',
      only: LIVE_ONLY.only,
      namespace: '/',
      Socket: LightLiveSocket,
      keep: (keeper) => ({ ...keeper, connections, maxPackets, addressOf, act: (name) => acts.get(name) }),
    },
    options,
  )
}
